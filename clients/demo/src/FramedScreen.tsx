import { useState, useSyncExternalStore } from "react";


import type { Frame, ScreenName } from "./frames";
import { useDemoWords } from "./words";

/** A screen in a device frame. `fragment` is for the first load only; `Frame` sends later changes. */
export function FramedScreen({ name, frame, fragment }: { name: ScreenName; frame: Frame; fragment: string }) {
  const words = useDemoWords();
  const version = useSyncExternalStore(frame.subscribe, frame.snapshot);
  return (
    <figure className="framed" data-frame={name}>
      <figcaption className="framed-head">
        <h2>{words.screens[name]}</h2>
        <span className="tag tabular">{version === null ? words.nobody : words.version({ version })}</span>
        <a className="framed-open" href={`/${name}/`} target="_blank" rel="noopener" aria-label={`${words.open}: ${words.screens[name]}`}>
          <svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
            <path d="M6 3H3v10h10v-3M9 3h4v4M13 3 7 9" strokeLinecap="round" strokeLinejoin="round" />
          </svg>
        </a>
      </figcaption>
      <div className="device" data-device={name}>
        <div className="glass">
          <Page name={name} frame={frame} fragment={fragment} title={words.screens[name]} />
        </div>
      </div>
    </figure>
  );
}

interface PageProps {
  readonly name: ScreenName;
  readonly frame: Frame;
  readonly fragment: string;
  readonly title: string;
}

function Page({ name, frame, fragment, title }: PageProps) {
  const [address] = useState(`/${name}/#${fragment}`);
  return (
    <iframe title={title} src={address} allow="camera" onLoad={(event) => frame.watch(event.currentTarget)} />
  );
}
