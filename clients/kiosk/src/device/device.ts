import { deviceStorage } from "@carillon/shared/identity/storage";

/** The tablet's enrolment. The token is the device's, not a member's, and never leaves the tablet's storage. */
export interface Device {
  readonly id: string;
  readonly name: string;
  readonly store: string | null;
  readonly token: string;
}

const storage = deviceStorage("kiosk");

export function readDevice(): Device | null {
  try {
    return JSON.parse(storage.read("device") ?? "null") as Device | null;
  } catch {
    return null;
  }
}

export function storeDevice(device: Device | null): void {
  storage.write("device", device === null ? null : JSON.stringify(device));
}
