import { type FormEvent, useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { type OrderCardFragment, PlaceOrderDocument } from "@carillon/shared/generated/graphql";
import type { LiveMember } from "@carillon/shared/live/liveMember";
import { Button } from "@carillon/shared/parts/Button";
import { Dialog } from "@carillon/shared/parts/Dialog";
import { Outcome, refusalOf } from "@carillon/shared/parts/Fault";
import { Check, Field, Select } from "@carillon/shared/parts/Field";
import { VoucherCode } from "@carillon/shared/parts/VoucherCode";
import type { Programme } from "@carillon/shared/screen/useProgramme";

import type { MemberReward } from "../pages/RewardsPage";
import { addressOf } from "../routes";
import { useSiteWords } from "../words";
import { affordable } from "./affordable";
import { AppointmentField } from "./AppointmentField";
import { EMPTY_ADDRESS, EMPTY_RECIPIENT, FIELDS_WITH_ERRORS, inputOf } from "./orderInput";
import { DeliveryFields, RecipientFields } from "./OrderFields";

interface OrderDialogProps {
  readonly memberReward: MemberReward;
  readonly live: LiveMember;
  /** The member's points now; a purchase or order elsewhere changes them while the dialog is open. */
  readonly available: number;
  /** Where a reward can be collected. */
  readonly stores: Programme["stores"];
  readonly onClose: () => void;
}

/** Orders a reward: one form, with each error beside its field. */
export function OrderDialog({ memberReward, live, available, stores, onClose }: OrderDialogProps) {
  const { reward } = memberReward;
  const [placed, setPlaced] = useState<OrderCardFragment | null>(null);
  return (
    <Dialog title={<bdi>{reward.title}</bdi>} onClose={onClose}>
      {placed === null ? (
        <OrderForm
          memberReward={memberReward}
          live={live}
          available={available}
          stores={stores}
          onPlaced={setPlaced}
        />
      ) : (
        <Placed order={placed} available={available} onClose={onClose} />
      )}
    </Dialog>
  );
}

interface OrderFormProps {
  readonly memberReward: MemberReward;
  readonly live: LiveMember;
  readonly available: number;
  readonly stores: Programme["stores"];
  readonly onPlaced: (order: OrderCardFragment) => void;
}

function OrderForm({ memberReward: { reward }, live, available, stores, onPlaced }: OrderFormProps) {
  const words = useSiteWords();
  const place = useAction(PlaceOrderDocument, ({ placeOrder }) => placeOrder);
  const [wanted, setWanted] = useState(1);
  const [appointment, setAppointment] = useState<string | null>(null);
  const [recipient, setRecipient] = useState<typeof EMPTY_RECIPIENT | null>(null);
  const [delivery, setDelivery] = useState<typeof EMPTY_ADDRESS | null>(null);
  const [store, setStore] = useState("");
  const isService = reward.kind === "SERVICE";
  const isPhysical = reward.kind === "PHYSICAL" || reward.kind === "PARTNER";
  const most = affordable(reward, available);
  const quantity = isService ? 1 : Math.max(1, Math.min(wanted, most));
  const cost = reward.points * quantity;
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (place.isBusy || cost > available) return;
    const outcome = await place.run(inputOf({ reward: reward.id, quantity, appointment, recipient, delivery, store: isPhysical ? store : "" }));
    if (outcome.kind !== "done") return;
    const { member, order } = outcome.answer;
    if (member !== null) live.apply(member);
    if (order !== null) onPlaced(order);
  };
  return (
    <form className="stack" onSubmit={(event) => void send(event)} noValidate>
      {isService ? (
        <AppointmentField
          reward={reward.id}
          chosen={appointment}
          fault={refusalOf(place.outcome, "appointment")}
          onChoose={setAppointment}
        />
      ) : (
        <Field
          label={words.order.quantity}
          type="number"
          inputMode="numeric"
          min={1}
          {...(Number.isFinite(most) && { max: most, note: words.order.most({ count: most }) })}
          value={quantity}
          fault={refusalOf(place.outcome, "quantity")}
          onChange={(event) => setWanted(Math.max(1, event.target.valueAsNumber || 1))}
        />
      )}
      <Check
        label={words.order.gift}
        checked={recipient !== null}
        onChange={(event) => setRecipient(event.target.checked ? EMPTY_RECIPIENT : null)}
      />
      {recipient !== null && <RecipientFields value={recipient} outcome={place.outcome} onChange={setRecipient} />}
      {isPhysical && (
        <Check
          label={words.order.delivery}
          checked={delivery !== null}
          onChange={(event) => setDelivery(event.target.checked ? EMPTY_ADDRESS : null)}
        />
      )}
      {isPhysical && delivery === null && <p className="small quiet">{words.order.store}</p>}
      {isPhysical && delivery === null && stores.length > 0 && (
        <Select label={words.order.whichStore} value={store} onChange={({ target }) => setStore(target.value)}>
          <option value="">{words.order.anyStore}</option>
          {stores.map(({ key, name }) => (
            <option key={key} value={key}>
              {name}
            </option>
          ))}
        </Select>
      )}
      {delivery !== null && <DeliveryFields value={delivery} outcome={place.outcome} onChange={setDelivery} />}
      <Outcome outcome={place.outcome} except={FIELDS_WITH_ERRORS} />
      <div className="row spread">
        <div className="tabular">
          <p>{words.order.cost({ points: cost })}</p>
          {cost <= available && <p className="small quiet">{words.order.left({ points: available - cost })}</p>}
        </div>
        <Button type="submit" isBusy={place.isBusy} disabled={cost > available}>
          {words.order.place}
        </Button>
      </div>
    </form>
  );
}

interface PlacedProps {
  readonly order: OrderCardFragment;
  readonly available: number;
  readonly onClose: () => void;
}

function Placed({ order, available, onClose }: PlacedProps) {
  const words = useSiteWords();
  return (
    <div className="stack" role="status">
      <h3>{words.order.placed}</h3>
      <p>{words.order.placedNumber({ number: order.number })}</p>
      <p className="quiet tabular">{words.rewards.lead({ points: available })}</p>
      {order.code !== null && (
        <p className="offer-code">
          <code dir="ltr">{order.code}</code>
        </p>
      )}
      {order.voucher !== null && <VoucherCode voucher={order.voucher} />}
      <a className="button" data-look="plain" href={addressOf("orders")} onClick={onClose}>
        {words.order.toOrders}
      </a>
    </div>
  );
}
