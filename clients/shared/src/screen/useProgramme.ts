import { useEffect, useMemo } from "react";

import { useVersionedQuery } from "../api/useVersionedQuery";
import { ProgrammeDocument, type ProgrammeQuery } from "../generated/graphql";
import type { ClientStorage } from "../identity/storage";
import { useLocale } from "../language/Language";
import { applyStoredUnit, setUnit } from "../language/unit";
import { storeBrand, applyBrand } from "../look/brand";

export type Programme = ProgrammeQuery["programme"];

/** The programme, or null until loaded. Applies the brand's colours to the page, and its word for points to the texts. */
export function useProgramme(storage: ClientStorage): Programme | null {
  const { data } = useVersionedQuery(ProgrammeDocument, {}, null);
  const locale = useLocale();
  const brand = data?.programme.brand;
  const [wallet] = data?.programme.wallets ?? [];
  // While rendering, so that what is below has the word at once. Only for new data: it came in the language of now.
  useMemo(() => {
    if (wallet === undefined) applyStoredUnit(storage, locale);
    else setUnit(storage, locale, wallet);
  }, [wallet]);
  useEffect(() => {
    if (brand === undefined) return;
    applyBrand(brand);
    storeBrand(storage, brand);
  }, [brand?.colour, brand?.accent]);
  return data?.programme ?? null;
}
