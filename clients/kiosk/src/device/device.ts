import { machineShelf } from "@carillon/shared/identity/storage";

/** What this tablet is, since it was enrolled. The token is its own, and stays here. */
export interface Device {
  readonly id: string;
  readonly name: string;
  readonly store: string | null;
  readonly token: string;
}

const shelf = machineShelf("kiosk");

export function readDevice(): Device | null {
  try {
    return JSON.parse(shelf.read("device") ?? "null") as Device | null;
  } catch {
    return null;
  }
}

export function keepDevice(device: Device | null): void {
  shelf.write("device", device === null ? null : JSON.stringify(device));
}
