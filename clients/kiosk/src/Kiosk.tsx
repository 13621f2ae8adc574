import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { Provider } from "urql";

import { Api } from "@carillon/shared/api/api";
import { RecordEventsDocument } from "@carillon/shared/generated/graphql";
import { LanguageProvider } from "@carillon/shared/language/Language";
import type { Locale } from "@carillon/shared/language/locale";
import { type Settings, useSettings } from "@carillon/shared/screen/settings";

import { FixedCredentials } from "./device/credentials";
import { type Device, storeDevice, readDevice } from "./device/device";
import { EnrolDevice } from "./device/EnrolDevice";
import type { ShortCode } from "./device/shortCode";
import type { Outbox } from "./outbox/outbox";
import { Tablet } from "./Tablet";

interface KioskProps {
  readonly settings: Settings;
  readonly shortCode: ShortCode;
  readonly outbox: Outbox;
}

/** The tablet's page, enrolled or not. The outbox outlives an enrolment. */
export function Kiosk({ settings, shortCode, outbox }: KioskProps) {
  const { locale } = useSettings(settings);
  const [device, setDevice] = useState(readDevice);
  const code = useSyncExternalStore(shortCode.subscribe, shortCode.snapshot);
  const { waiting } = useSyncExternalStore(outbox.subscribe, outbox.snapshot);
  const change = (next: Device | null) => {
    storeDevice(next);
    shortCode.set(null);
    setDevice(next);
  };
  const api = useDeviceApi(device, locale, (token) => {
    // Ignore a late rejection of a token that was replaced.
    if (readDevice()?.token === token) change(null);
  });
  useSending(outbox, device, api);
  // A code in the address enrols the tablet again.
  const isEnrolled = device !== null && code === null;
  return (
    <LanguageProvider locale={locale}>
      <Provider value={api.client}>
        {isEnrolled ? (
          <Tablet api={api} device={device} settings={settings} outbox={outbox} />
        ) : (
          <div className="kiosk" data-screen="enrol-device" data-outbox={waiting}>
            <EnrolDevice code={code} onEnrolled={change} />
          </div>
        )}
      </Provider>
    </LanguageProvider>
  );
}

function useDeviceApi(device: Device | null, locale: Locale, onRefused: (token: string | null) => void): Api {
  const token = device?.token ?? null;
  const api = useMemo(
    () => new Api({ credentials: new FixedCredentials(token, () => onRefused(token)), locale, channel: "KIOSK" }),
    [token, locale],
  );
  useEffect(() => () => api.close(), [api]);
  return api;
}

/** Sends events with the tablet's token, not a session's, because a session may end first. */
function useSending(outbox: Outbox, device: Device | null, api: Api): void {
  const id = device?.id ?? null;
  useEffect(() => {
    outbox.sendAs(
      id === null
        ? null
        : {
            device: id,
            send: async (input) => (await api.mutate(RecordEventsDocument, { input: [...input] })).recordEvents,
          },
    );
  }, [outbox, id, api]);
  useEffect(() => {
    const flush = () => outbox.flush();
    window.addEventListener("online", flush);
    return () => window.removeEventListener("online", flush);
  }, [outbox]);
}
