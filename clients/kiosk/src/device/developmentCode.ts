import { Api } from "@carillon/shared/api/api";
import { InviteDeviceDocument } from "@carillon/shared/generated/graphql";
import { findIssuer } from "@carillon/shared/identity/issuer";
import { RoleCredentials } from "@carillon/shared/identity/roleCredentials";
import type { Locale } from "@carillon/shared/language/locale";

/**
 * Requests a short code as a manager would, with the gateway's development issuer: a tablet that is opened alone can be
 * tried without a manager. Null where there is no such issuer, as in production.
 */
export async function developmentCode(name: string, locale: Locale): Promise<string | null> {
  try {
    if ((await findIssuer()) === null) return null;
  } catch {
    return null; // unreachable
  }
  const api = new Api({ credentials: new RoleCredentials("manager"), locale, channel: "KIOSK" });
  try {
    const { inviteDevice } = await api.mutate(InviteDeviceDocument, { input: { key: crypto.randomUUID(), name } });
    return inviteDevice.code;
  } catch {
    return null;
  } finally {
    api.close();
  }
}
