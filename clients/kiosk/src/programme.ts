import { useEffect, useState } from "react";

import { machineShelf } from "@carillon/shared/identity/storage";
import type { Programme } from "@carillon/shared/screen/useProgramme";

const shelf = machineShelf("kiosk");

/** The programme's currency, or the stored one until it is loaded; null if it was never loaded. */
export function useCurrency(programme: Programme | null): string | null {
  const [kept, setKept] = useState(() => shelf.read("currency"));
  const currency = programme?.currency ?? null;
  useEffect(() => {
    if (currency === null) return;
    shelf.write("currency", currency);
    setKept(currency);
  }, [currency]);
  return currency ?? kept;
}
