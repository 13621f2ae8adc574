import { useFormat } from "../language/Language";
import { useWords } from "../language/words";
import type { Connection } from "../live/liveMember";

/** The state of the connection and, unless it is live, the time of the data shown. */
export function ConnectionMark({ connection, asOf }: { connection: Connection; asOf: number | null }) {
  const words = useWords();
  const format = useFormat();
  const isOld = connection !== "live" && asOf !== null;
  return (
    <p className="connection" data-connection={connection} role="status">
      {words.connection[connection]}
      {isOld && ` · ${words.connection.asOf({ time: format.time(asOf) })}`}
    </p>
  );
}
