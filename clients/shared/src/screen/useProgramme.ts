import { useEffect } from "react";

import { useFresh } from "../api/useFresh";
import { ProgrammeDocument, type ProgrammeQuery } from "../generated/graphql";
import type { Shelf } from "../identity/storage";
import { keepBrand, wearBrand } from "../look/brand";

export type Programme = ProgrammeQuery["programme"];

/** The programme, or null until loaded. Applies the brand's colours to the page. */
export function useProgramme(shelf: Shelf): Programme | null {
  const { data } = useFresh(ProgrammeDocument, {}, null);
  const brand = data?.programme.brand;
  useEffect(() => {
    if (brand === undefined) return;
    wearBrand(brand);
    keepBrand(shelf, brand);
  }, [brand?.colour, brand?.accent]);
  return data?.programme ?? null;
}
