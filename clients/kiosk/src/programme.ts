import { useEffect, useState } from "react";

import { deviceStorage } from "@carillon/shared/identity/storage";
import type { Programme } from "@carillon/shared/screen/useProgramme";

const storage = deviceStorage("kiosk");

/** The programme's currency, or the stored one until it is loaded; null if it was never loaded. */
export function useCurrency(programme: Programme | null): string | null {
  const [stored, setStored] = useState(() => storage.read("currency"));
  const currency = programme?.currency ?? null;
  useEffect(() => {
    if (currency === null) return;
    storage.write("currency", currency);
    setStored(currency);
  }, [currency]);
  return currency ?? stored;
}
