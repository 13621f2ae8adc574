import { machineShelf } from "@carillon/shared/identity/storage";

/** The tablet's enrolment. The token is the device's, not a member's, and never leaves the tablet's storage. */
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
