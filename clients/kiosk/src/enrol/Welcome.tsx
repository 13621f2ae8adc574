import { Button } from "@carillon/shared/parts/Button";
import { Dialog } from "@carillon/shared/parts/Dialog";
import { Qr } from "@carillon/shared/parts/Qr";

import { useKioskWords } from "../words";

/** A new member's card number, as text and as a QR code to photograph. */
export function Welcome({ number, onClose }: { number: string; onClose: () => void }) {
  const words = useKioskWords();
  return (
    <Dialog title={words.enrol.welcome} onClose={onClose}>
      <div className="welcome">
        <p className="quiet">{words.enrol.number}</p>
        <p className="welcome-number tabular" data-number={number}>
          <bdi>{number}</bdi>
        </p>
        <div className="welcome-qr">
          <Qr text={number} label={words.enrol.number} />
        </div>
        <p>{words.enrol.photo}</p>
        <Button onClick={onClose}>{words.enrol.toStatus}</Button>
      </div>
    </Dialog>
  );
}
