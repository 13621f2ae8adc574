import type { ComponentProps } from "react";

interface ButtonProps extends ComponentProps<"button"> {
  readonly look?: "main" | "plain" | "text";
  /** Something is under way: it stays where it is, and keeps the focus, but does nothing. */
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
