import { useEffect, useMemo, useState } from "react";

import { Api } from "@carillon/shared/api/api";
import { findIssuer, type Issuer } from "@carillon/shared/identity/issuer";
import { LanguageProvider } from "@carillon/shared/language/Language";
import { type Settings, useSettings } from "@carillon/shared/screen/settings";

import { Header } from "./Header";
import { NoIssuer } from "./NoIssuer";
import { RoleCredentials } from "@carillon/shared/identity/roleCredentials";
import { Stage } from "./Stage";

type IssuerSearch =
  | { readonly kind: "searching" }
  | { readonly kind: "none" }
  | { readonly kind: "found"; readonly issuer: Issuer };

/** The demo page: three screens of one member, and a till. */
export function Demo({ settings }: { settings: Settings }) {
  const { locale, theme } = useSettings(settings);
  const [search, setSearch] = useState<IssuerSearch>({ kind: "searching" });
  const [member, setMember] = useState<string | null>(null);
  const till = useRoleApi("till", locale);
  const manager = useRoleApi("manager", locale);
  useEffect(() => {
    findIssuer().then(
      (issuer) => {
        setSearch(issuer === null ? { kind: "none" } : { kind: "found", issuer });
        setMember(issuer?.members[0]?.number ?? null);
      },
      () => setSearch({ kind: "none" }),
    );
  }, []);
  const members = search.kind === "found" ? search.issuer.members : [];
  return (
    <LanguageProvider locale={locale}>
      <Header settings={settings} members={members} member={member} onMember={setMember} />
      {search.kind === "none" && <NoIssuer />}
      {member !== null && <Stage till={till} manager={manager} member={member} locale={locale} theme={theme} />}
    </LanguageProvider>
  );
}

function useRoleApi(role: string, locale: string): Api {
  const credentials = useMemo(() => new RoleCredentials(role), [role]);
  const api = useMemo(() => new Api({ credentials, locale, channel: "STORE" }), [credentials, locale]);
  useEffect(() => () => api.close(), [api]);
  return api;
}
