import { useFormat } from "../language/Language";
import { useWords } from "../language/words";
import type { Connection } from "../live/liveMember";

/** Whether what is shown is live, and if not, of when it is. */
export function ConnectionMark({ connection, asOf }: { connection: Connection; asOf: number | null }) {
  const words = useWords();
  const format = useFormat();
  const isOld = connection !== "live" && asOf !== null;
  return (
    <p className="connection" data-connection={connection} role="status">
      {words.connection[connection]}
      {isOld && ` · ${words.connection.asOf(format.time(asOf))}`}
    </p>
  );
}
