import { useEffect, useRef } from "react";

import { SCAN_MESSAGE } from "@carillon/shared/screen/scanMessage";

import { Wedge } from "./wedge";

/** Detects scans anywhere on the page. If a field has the focus, restores the value it had before the scanner typed. */
export function useWedge(onScan: (text: string) => void): void {
  const callback = useRef(onScan);
  callback.current = onScan;
  useEffect(() => {
    const wedge = new Wedge();
    let beforeScan: { readonly field: HTMLInputElement; readonly value: string } | null = null;

    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const step = wedge.take(event.key, event.timeStamp);
      if (step.kind === "first") {
        const { target } = event;
        beforeScan = target instanceof HTMLInputElement ? { field: target, value: target.value } : null;
      }
      if (step.kind !== "scanned") return;
      event.preventDefault();
      event.stopPropagation();
      if (beforeScan !== null) setNativeValue(beforeScan.field, beforeScan.value);
      callback.current(step.text);
    };

    const receive = (event: MessageEvent<unknown>) => {
      if (event.origin !== window.location.origin) return;
      const { data } = event;
      if (typeof data !== "object" || data === null || !("type" in data) || data.type !== SCAN_MESSAGE) return;
      if ("text" in data && typeof data.text === "string") callback.current(data.text);
    };

    document.addEventListener("keydown", press, { capture: true });
    window.addEventListener("message", receive);
    return () => {
      document.removeEventListener("keydown", press, { capture: true });
      window.removeEventListener("message", receive);
    };
  }, []);
}

/** Uses the native setter: React overrides the element's own and would ignore the input event. */
function setNativeValue(field: HTMLInputElement, value: string): void {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(field, value);
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
