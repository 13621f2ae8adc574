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

  // Another member: the screens are told, and the tablet gets that member's code as soon as the app shows it.
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

/** Language and appearance of this page are those of its frames. */
function useLookOfFrames(frames: Frames, locale: Locale, theme: Theme): void {
  const told = useRef(`lang=${locale}&theme=${theme}`);
  useEffect(() => {
    const fragment = `lang=${locale}&theme=${theme}`;
    if (told.current === fragment) return;
    told.current = fragment;
    for (const name of SCREENS) frames[name].tell(fragment);
  }, [frames, locale, theme]);
}

/** A tablet that asks to be enrolled is invited, as its manager would. */
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
          () => undefined, // the tablet goes on showing its field for a code
        );
      }),
    [kiosk, manager],
  );
}

/** Holds the app's code up to the tablet: once at the start, after another member was chosen, and when asked. */
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
