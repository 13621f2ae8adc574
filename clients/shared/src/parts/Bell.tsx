/** Carillon's mark. */
export function Bell({ className }: { className?: string }) {
  return (
    <svg className={className} viewBox="0 0 24 24" width="24" height="24" fill="currentColor" aria-hidden="true">
      <path d="M12 2a1.75 1.75 0 0 0-1.75 1.75v.6A6.5 6.5 0 0 0 5.5 10.6v3.15c0 .9-.32 1.76-.9 2.44l-.72.84A1.2 1.2 0 0 0 4.8 19h14.4a1.2 1.2 0 0 0 .92-1.97l-.72-.84a3.75 3.75 0 0 1-.9-2.44V10.6a6.5 6.5 0 0 0-4.75-6.25v-.6A1.75 1.75 0 0 0 12 2Z" />
      <path d="M9.4 20.25a2.65 2.65 0 0 0 5.2 0Z" />
    </svg>
  );
}
