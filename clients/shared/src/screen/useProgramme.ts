import { useEffect } from "react";

import { useVersionedQuery } from "../api/useVersionedQuery";
import { ProgrammeDocument, type ProgrammeQuery } from "../generated/graphql";
import type { ClientStorage } from "../identity/storage";
import { storeBrand, applyBrand } from "../look/brand";

export type Programme = ProgrammeQuery["programme"];

/** The programme, or null until loaded. Applies the brand's colours to the page. */
export function useProgramme(storage: ClientStorage): Programme | null {
  const { data } = useVersionedQuery(ProgrammeDocument, {}, null);
  const brand = data?.programme.brand;
  useEffect(() => {
    if (brand === undefined) return;
    applyBrand(brand);
    storeBrand(storage, brand);
  }, [brand?.colour, brand?.accent]);
  return data?.programme ?? null;
}
