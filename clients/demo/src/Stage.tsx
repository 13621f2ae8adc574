import { useEffect, useRef, useState, useSyncExternalStore } from "react";

import type { Api } from "@carillon/shared/api/api";
import { InviteDeviceDocument } from "@carillon/shared/generated/graphql";
import type { Locale } from "@carillon/shared/language/locale";
import type { Theme } from "@carillon/shared/look/theme";

import { Frame, SCREENS, type ScreenName } from "./frames";
import { FramedScreen } from "./FramedScreen";
import { Scanner } from "./Scanner";
import { Till } from "./Till";
import { useTill } from "./till";

interface StageProps {
  readonly till: Api;
  readonly manager: Api;
  readonly member: string;
  readonly locale: Locale;
  readonly theme: Theme;
}

type Frames = Readonly<Record<ScreenName, Frame>>;

export function Stage({ till, manager, member, locale, theme }: StageProps) {
  const [frames] = useState<Frames>(() => ({ site: new Frame(), app: new Frame(), kiosk: new Frame() }));
  const tillState = useTill(till, frames, member);
  const first = useRef({ member, fragment: `member=${member}&lang=${locale}&theme=${theme}` });
  useFrameSettings(frames, locale, theme);
  useTabletEnrolment(frames.kiosk, manager);
  const passScan = usePassScan(frames);

  // Switches the screens to another member; the tablet scans that member's pass as soon as the app shows it.
  useEffect(() => {
    if (first.current.member === member) return;
    first.current = { ...first.current, member };
    for (const name of SCREENS) frames[name].reset();
    tillState.reset();
    frames.site.setFragment(`member=${member}`);
    frames.app.setFragment(`member=${member}`);
    passScan.afterChange();
  }, [member]);

  return (
    <main className="stage">
      <Till till={tillState} canShow={passScan.isPossible} onShow={passScan.scan}>
        <Scanner key={member} api={till} frames={frames} />
      </Till>
      {SCREENS.map((name) => (
        <FramedScreen
          key={name}
          name={name}
          frame={frames[name]}
          fragment={name === "kiosk" ? `lang=${locale}&theme=${theme}` : first.current.fragment}
        />
      ))}
    </main>
  );
}

/** Applies this page's language and theme to the frames. */
function useFrameSettings(frames: Frames, locale: Locale, theme: Theme): void {
  const lastFragment = useRef(`lang=${locale}&theme=${theme}`);
  useEffect(() => {
    const fragment = `lang=${locale}&theme=${theme}`;
    if (lastFragment.current === fragment) return;
    lastFragment.current = fragment;
    for (const name of SCREENS) frames[name].setFragment(fragment);
  }, [frames, locale, theme]);
}

/** Invites the tablet as a manager would, and passes it the short code, whenever it shows its enrolment screen. */
function useTabletEnrolment(kiosk: Frame, manager: Api): void {
  const isInvited = useRef(false);
  useEffect(
    () =>
      kiosk.subscribe(() => {
        if (kiosk.read("screen") !== "enrol-device") {
          isInvited.current = false;
          return;
        }
        if (isInvited.current) return;
        isInvited.current = true;
        const input = { key: crypto.randomUUID(), name: "Demonstration", store: "12" };
        manager.mutate(InviteDeviceDocument, { input }).then(
          ({ inviteDevice: { code } }) => {
            if (code !== null) kiosk.setFragment(`code=${code}`);
          },
          () => undefined, // the tablet still shows its field for a code
        );
      }),
    [kiosk, manager],
  );
}

/** Makes the tablet scan the app's pass: at the start, after a change of member, and on `scan`. */
function usePassScan(frames: Frames) {
  const { app, kiosk } = frames;
  const lastScanned = useRef<string | null>(null);
  const isPending = useRef(true);
  const pass = useSyncExternalStore(app.subscribe, () => app.read("pass"));
  const screen = useSyncExternalStore(kiosk.subscribe, () => kiosk.read("screen"));
  const isPossible = pass !== null && screen !== null && screen !== "enrol-device";
  const scan = () => {
    if (pass === null) return;
    lastScanned.current = pass;
    isPending.current = false;
    kiosk.scan(pass);
  };
  useEffect(() => {
    if (isPending.current && isPossible && pass !== lastScanned.current) scan();
  }, [isPossible, pass]);
  return {
    isPossible,
    scan,
    afterChange: () => {
      lastScanned.current = pass;
      isPending.current = true;
    },
  };
}
