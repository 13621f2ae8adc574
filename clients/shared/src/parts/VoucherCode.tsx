import "./VoucherCode.css";

import type { VoucherCodeFragment } from "../generated/graphql";
import { useFormat } from "../language/Language";
import { useWords } from "../language/words";
import { Qr } from "./Qr";

/** It expires at midnight, after its last day. */
function lastMomentBefore(expiresAt: string): string {
  return new Date(Date.parse(expiresAt) - 1).toISOString();
}

/** What the shopper shows at the till, as a QR code and as text; once it is used, when and where. */
export function VoucherCode({ voucher }: { voucher: VoucherCodeFragment }) {
  const words = useWords().order.voucher;
  const format = useFormat();
  const { code, usedAt, usedAtStore, expiresAt, worth } = voucher;
  if (usedAt !== null) {
    const moment = format.moment(usedAt);
    return (
      <p className="voucher-used" data-voucher-used={usedAt}>
        {usedAtStore === null ? words.used({ moment }) : words.usedAt({ moment, store: usedAtStore })}
      </p>
    );
  }
  return (
    <div className="voucher" data-voucher={code}>
      <Qr text={code} label={words.title} />
      <div className="voucher-text">
        <p className="small quiet">{words.show}</p>
        <p>
          <code dir="ltr">{code}</code>
        </p>
        {worth !== null && <p>{words.worth({ money: format.money(worth.amount, worth.currency) })}</p>}
        {expiresAt !== null && <p className="small quiet">{words.until({ day: format.day(lastMomentBefore(expiresAt)) })}</p>}
      </div>
    </div>
  );
}
