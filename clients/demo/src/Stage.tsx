import { useEffect, useRef, useState, useSyncExternalStore } from "react";

import type { Api } from "@carillon/shared/api/api";
import { InviteDeviceDocument } from "@carillon/shared/generated/graphql";
import type { Locale } from "@carillon/shared/language/locale";
import type { Theme } from "@carillon/shared/look/theme";

import { Frame, SCREENS, type ScreenName } from "./frames";
import { FramedScreen } from "./FramedScreen";
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
  const tillOf = useTill(till, frames, member);
  const first = useRef({ member, fragment: `member=${member}&lang=${locale}&theme=${theme}` });
  useLookOfFrames(frames, locale, theme);
  useTabletEnrolment(frames.kiosk, manager);
  const showPass = usePassShowing(frames);

  // Switches the screens to another member; the tablet scans that member's pass as soon as the app shows it.
  useEffect(() => {
    if (first.current.member === member) return;
    first.current = { ...first.current, member };
    for (const name of SCREENS) frames[name].forget();
    tillOf.forget();
    frames.site.tell(`member=${member}`);
    frames.app.tell(`member=${member}`);
    showPass.afterChange();
  }, [member]);

  return (
    <main className="stage">
      <Till till={tillOf} canShow={showPass.isPossible} onShow={showPass.now} />
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
function useLookOfFrames(frames: Frames, locale: Locale, theme: Theme): void {
  const told = useRef(`lang=${locale}&theme=${theme}`);
  useEffect(() => {
    const fragment = `lang=${locale}&theme=${theme}`;
    if (told.current === fragment) return;
    told.current = fragment;
    for (const name of SCREENS) frames[name].tell(fragment);
  }, [frames, locale, theme]);
}

/** Invites the tablet as a manager would, and passes it the short code, whenever it shows its enrolment screen. */
function useTabletEnrolment(kiosk: Frame, manager: Api): void {
  const asked = useRef(false);
  useEffect(
    () =>
      kiosk.subscribe(() => {
        if (kiosk.read("screen") !== "enrol-device") {
          asked.current = false;
          return;
        }
        if (asked.current) return;
        asked.current = true;
        const input = { key: crypto.randomUUID(), name: "Demonstration", store: "12" };
        manager.mutate(InviteDeviceDocument, { input }).then(
          ({ inviteDevice: { code } }) => {
            if (code !== null) kiosk.tell(`code=${code}`);
          },
          () => undefined, // the tablet still shows its field for a code
        );
      }),
    [kiosk, manager],
  );
}

/** Makes the tablet scan the app's pass: at the start, after a change of member, and on `now`. */
function usePassShowing(frames: Frames) {
  const { app, kiosk } = frames;
  const before = useRef<string | null>(null);
  const isDue = useRef(true);
  const pass = useSyncExternalStore(app.subscribe, () => app.read("pass"));
  const screen = useSyncExternalStore(kiosk.subscribe, () => kiosk.read("screen"));
  const isPossible = pass !== null && screen !== null && screen !== "enrol-device";
  const now = () => {
    if (pass === null) return;
    before.current = pass;
    isDue.current = false;
    kiosk.scan(pass);
  };
  useEffect(() => {
    if (isDue.current && isPossible && pass !== before.current) now();
  }, [isPossible, pass]);
  return {
    isPossible,
    now,
    afterChange: () => {
      before.current = pass;
      isDue.current = true;
    },
  };
}
