import type { Api } from "@carillon/shared/api/api";
import { Bell } from "@carillon/shared/parts/Bell";
import { Qr } from "@carillon/shared/parts/Qr";

import { type Pass, usePass, useSecondsLeft } from "./pass";
import { useAppWords } from "./words";

/** The pass that a till or tablet scans: a code that is valid once, for a minute. */
export function PassCard({ api, number, isOffline }: { api: Api; number: string; isOffline: boolean }) {
  const words = useAppWords();
  const pass = usePass(api);
  return (
    <section className="pass" aria-label={words.pass.title}>
      {pass === null ? (
        <div className="pass-none">
          <Bell />
          <p role="status">{isOffline ? words.pass.away : words.pass.waiting}</p>
        </div>
      ) : (
        <PassCode pass={pass} />
      )}
      <p className="pass-number">
        <span>{words.pass.number}</span> <bdi className="tabular">{number}</bdi>
      </p>
    </section>
  );
}

function PassCode({ pass }: { pass: Pass }) {
  const words = useAppWords();
  const left = useSecondsLeft(pass.until);
  return (
    <>
      <p className="pass-lead">{words.pass.show}</p>
      <div className="pass-qr" data-pass={pass.code}>
        <Qr text={pass.code} label={words.pass.title} />
      </div>
      <div className="pass-life" aria-hidden="true">
        <span style={{ inlineSize: `${Math.min(100, (left / 60) * 100)}%` }} />
      </div>
      <p className="pass-digits tabular" data-digits={pass.digits}>
        <span className="pass-lead">{words.pass.digits}</span>
        <bdi dir="ltr">
          {pass.digits.slice(0, 3)} {pass.digits.slice(3)}
        </bdi>
      </p>
      <p className="pass-lead tabular">{words.pass.seconds({ count: left })}</p>
    </>
  );
}
