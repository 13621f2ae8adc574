import { type FormEvent, useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { AddCardDocument, RemoveCardDocument } from "@carillon/shared/generated/graphql";
import type { LiveMember } from "@carillon/shared/live/liveMember";
import { Button } from "@carillon/shared/parts/Button";
import { Outcome, refusalOf } from "@carillon/shared/parts/Fault";
import { Field } from "@carillon/shared/parts/Field";

import { useSiteWords } from "../words";

/** The member's cards: a lost one is removed, a new one added. */
export function CardPanel({ cards, live }: { cards: readonly string[]; live: LiveMember }) {
  const words = useSiteWords();
  const [card, setCard] = useState("");
  const add = useAction(AddCardDocument, ({ addCard }) => addCard);
  const remove = useAction(RemoveCardDocument, ({ removeCard }) => removeCard);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (add.isBusy) return;
    const outcome = await add.run({ card });
    if (outcome.kind !== "done") return;
    if (outcome.answer.member !== null) live.apply(outcome.answer.member);
    setCard("");
  };
  const unlink = async (lost: string) => {
    if (remove.isBusy) return;
    const outcome = await remove.run({ card: lost });
    if (outcome.kind === "done" && outcome.answer.member !== null) live.apply(outcome.answer.member);
  };
  return (
    <section className="panel stack">
      <h2>{words.profile.cards}</h2>
      {cards.length === 0 && <p className="quiet">{words.profile.noCards}</p>}
      {cards.map((each) => (
        <div className="row spread" key={each} data-card={each}>
          <bdi>{each}</bdi>
          <Button look="plain" onClick={() => void unlink(each)}>
            {words.profile.removeCard}
          </Button>
        </div>
      ))}
      <Outcome outcome={remove.outcome} />
      <form className="stack" onSubmit={(event) => void send(event)} noValidate>
        <Field
          label={words.profile.newCard}
          dir="ltr"
          autoComplete="off"
          value={card}
          fault={refusalOf(add.outcome, "card")}
          onChange={({ target }) => setCard(target.value)}
        />
        <Outcome outcome={add.outcome} except={["card"]} />
        <div className="row">
          <Button type="submit" isBusy={add.isBusy} disabled={card.trim() === ""}>
            {words.profile.addCard}
          </Button>
        </div>
      </form>
    </section>
  );
}
