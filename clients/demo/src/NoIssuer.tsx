import { SCREENS } from "./frames";
import { useDemoWords } from "./words";

/** Shown if the gateway has no development issuer: links to the screens, which work with a brand's own tokens. */
export function NoIssuer() {
  const words = useDemoWords();
  return (
    <main className="none stack">
      <h2>{words.none.title}</h2>
      <p className="quiet">{words.none.text}</p>
      <ul className="row">
        {SCREENS.map((name) => (
          <li key={name}>
            <a className="button" data-look="plain" href={`/${name}/`}>
              {words.screens[name]}
            </a>
          </li>
        ))}
        <li>
          <a className="button" data-look="plain" href="/playground/">
            {words.playground}
          </a>
        </li>
      </ul>
    </main>
  );
}
