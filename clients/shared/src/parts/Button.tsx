import type { ComponentProps } from "react";

interface ButtonProps extends ComponentProps<"button"> {
  readonly look?: "main" | "plain" | "text";
  /** Ignores clicks, but keeps the focus, which `disabled` would lose. */
  readonly isBusy?: boolean;
}

export function Button({ look = "main", isBusy = false, className, onClick, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={className === undefined ? "button" : `button ${className}`}
      data-look={look}
      aria-disabled={isBusy || undefined}
      onClick={(event) => {
        if (isBusy) event.preventDefault();
        else onClick?.(event);
      }}
    />
  );
}
