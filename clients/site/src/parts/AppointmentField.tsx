import { useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import { AppointmentsDocument } from "@carillon/shared/generated/graphql";
import { useFormat } from "@carillon/shared/language/Language";
import { Select } from "@carillon/shared/parts/Field";

import { useSiteWords } from "../words";

interface AppointmentFieldProps {
  readonly reward: string;
  readonly chosen: string | null;
  readonly fault: string | undefined;
  readonly onChoose: (at: string | null) => void;
}

/** The next appointments with free places, grouped by day. */
export function AppointmentField({ reward, chosen, fault, onChoose }: AppointmentFieldProps) {
  const words = useSiteWords();
  const format = useFormat();
  const { data } = useVersionedQuery(AppointmentsDocument, { reward }, null);
  const appointments = data?.node != null && "appointments" in data.node ? data.node.appointments : [];
  const days = Object.entries(Object.groupBy(appointments, ({ at }) => format.weekday(at)));
  if (data !== undefined && appointments.length === 0) return <p role="status">{words.order.noAppointments}</p>;
  return (
    <>
      <Select
        label={words.order.appointment}
        value={chosen ?? ""}
        required
        aria-invalid={fault !== undefined || undefined}
        onChange={(event) => onChoose(event.target.value || null)}
      >
        <option value="">{words.order.chooseAppointment}</option>
        {days.map(([day, times]) => (
          <optgroup key={day} label={day}>
            {times?.map(({ at, left }) => (
              <option key={at} value={at}>
                {format.hour(at)} · {words.order.places({ count: left })}
              </option>
            ))}
          </optgroup>
        ))}
      </Select>
      {fault !== undefined && (
        <p className="field-fault" role="alert">
          {fault}
        </p>
      )}
    </>
  );
}
