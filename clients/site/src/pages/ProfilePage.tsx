import { useState } from "react";

import { useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import { ProfileDocument, type ProfileQuery } from "@carillon/shared/generated/graphql";
import { useFormat } from "@carillon/shared/language/Language";
import type { LiveMember } from "@carillon/shared/live/liveMember";
import { Button } from "@carillon/shared/parts/Button";
import { Fault } from "@carillon/shared/parts/Fault";

import { CardPanel } from "../parts/CardPanel";
import { ConsentPanel } from "../parts/ConsentPanel";
import { PreferencePanel } from "../parts/PreferencePanel";
import { ProfileForm } from "../parts/ProfileForm";
import type { PageProps } from "../Site";
import { useSiteWords } from "../words";

type Profile = NonNullable<ProfileQuery["me"]>["profile"];

export function ProfilePage({ member, programme, live }: PageProps) {
  const words = useSiteWords();
  const { data, failure, isLoading, refetch } = useVersionedQuery(ProfileDocument, {}, member.version);
  const profile = data?.me?.profile;
  return (
    <>
      <h1>{words.routes.profile}</h1>
      {failure !== null && <Fault failure={failure} onRetry={refetch} />}
      <div className="profile" aria-busy={isLoading}>
        {profile !== undefined && (
          <>
            <Details profile={profile} number={member.number} live={live} />
            <CardPanel cards={data?.me?.cards ?? []} live={live} />
            <PreferencePanel preferences={profile.preferences} suggested={programme?.topics ?? []} />
            <ConsentPanel consents={profile.consents} history={profile.consentHistory} />
          </>
        )}
      </div>
    </>
  );
}

interface DetailsProps {
  readonly profile: Profile;
  readonly number: string;
  readonly live: LiveMember;
}

function Details({ profile, number, live }: DetailsProps) {
  const words = useSiteWords();
  const [isEdited, setEdited] = useState(false);
  const format = useFormat();
  const { firstName, lastName, email, phone, birthDate, completion } = profile;
  const rows = [
    [words.profile.number, number],
    [words.profile.name, [firstName, lastName].filter(Boolean).join(" ")],
    [words.profile.email, email],
    [words.profile.phone, phone],
    [words.profile.birthDate, birthDate === null ? null : format.day(birthDate)],
  ] as const;
  return (
    <section className="panel stack">
      <div className="row spread">
        <h2>{words.profile.details}</h2>
        <p className="small quiet">{words.profile.completion({ ratio: format.percent(completion) })}</p>
      </div>
      {isEdited ? (
        <ProfileForm profile={profile} live={live} onClose={() => setEdited(false)} />
      ) : (
        <>
          <dl className="figures">
            {rows.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value ? <bdi>{value}</bdi> : <span className="quiet">{words.profile.none}</span>}</dd>
              </div>
            ))}
          </dl>
          <div className="row">
            <Button look="plain" onClick={() => setEdited(true)}>
              {words.profile.edit}
            </Button>
          </div>
        </>
      )}
    </section>
  );
}
