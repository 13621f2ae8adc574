import { type ComponentProps, type ReactNode, useId } from "react";

interface FieldProps extends ComponentProps<"input"> {
  readonly label: string;
  readonly note?: string;
  /** Error message below the input. */
  readonly fault?: string | undefined;
}

export function Field({ label, note, fault, className, ...input }: FieldProps) {
  const id = useId();
  const describedBy = [note && `${id}-note`, fault && `${id}-fault`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        {...input}
        id={id}
        className={className === undefined ? "input" : `input ${className}`}
        aria-invalid={fault !== undefined || undefined}
        aria-describedby={describedBy || undefined}
      />
      {note !== undefined && (
        <p className="field-note" id={`${id}-note`}>
          {note}
        </p>
      )}
      {fault !== undefined && (
        <p className="field-fault" id={`${id}-fault`} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}

export function Select({ label, children, ...select }: ComponentProps<"select"> & { label: string; children: ReactNode }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select {...select} id={id} className="input">
        {children}
      </select>
    </div>
  );
}

export function Check({ label, ...input }: Omit<ComponentProps<"input">, "type"> & { label: ReactNode }) {
  return (
    <label className="check">
      <input {...input} type="checkbox" />
      <span>{label}</span>
    </label>
  );
}
