import { Type, type Static } from 'typebox';
import { LIVE_NAME_DESCRIPTION } from '#kernel/kinds/live-name.ts';
import { KeptPolicySchema, type PolicySpec } from './policy-spec.ts';

/** Objects of one release: the maximum of a change set. */
const RELEASE_OBJECTS_MAX = 10_000;

/** Sentences are for people: a large release keeps the first ones. */
export const RELEASE_SENTENCES = { most: 50, charsMax: 500 } as const;

const Side = Type.Object(
  {
    revision: Type.String({ description: 'Content hash of the spec.' }),
    generation: Type.Integer({ description: 'The generation of the object that declared it.' }),
    namespace: Type.String({ description: 'Its namespace.' }),
    labels: Type.Record(Type.String(), Type.String(), { description: 'Its labels.' }),
    refs: Type.Array(Type.String(), { description: 'References of its spec: kind and name.' }),
  },
  { description: 'A revision as it is or would be live.' },
);

const ReleaseItem = Type.Object(
  {
    kind: Type.String({ description: 'Group and kind, e.g. products.backline.dev/Plan.' }),
    name: Type.String({ description: LIVE_NAME_DESCRIPTION }),
    from: Type.Optional(Side),
    to: Type.Optional(Side),
  },
  { description: 'One object: its state before and after. Absent: it does not exist.' },
);

const NAMED_POLICY = { name: Type.String({ description: 'Its name.' }), spec: KeptPolicySchema };

const Schema = Type.Object(
  {
    number: Type.Integer({
      description: 'Version of the first write of the release: later releases have greater ones.',
    }),
    authors: Type.Array(Type.String(), {
      description:
        'Users who wrote any of the change, and users who minted the tokens for that. They may not approve it.',
    }),
    unattended: Type.Optional(
      Type.Boolean({
        description:
          'Backline itself declared some of it, like the garbage collection of owned objects: the author is unknown, and each policy needs one more approval.',
      }),
    ),
    changeSet: Type.String({ description: 'The write that made the change: the version of its first object.' }),
    group: Type.Optional(Type.String({ description: 'The group whose changes it collects.' })),
    policy: Type.Optional(
      Type.Object(NAMED_POLICY, {
        description:
          'The ReleasePolicy that gives the stages, as it was when the release began; absent: live for everyone at once.',
      }),
    ),
    otherPolicies: Type.Optional(
      Type.Array(Type.Object(NAMED_POLICY), {
        description: 'Further policies that select something in it: their approvals are needed as well.',
      }),
    ),
    objects: Type.Array(ReleaseItem, { maxItems: RELEASE_OBJECTS_MAX, description: 'The changed objects.' }),
    sentences: Type.Optional(
      Type.Array(Type.String({ maxLength: RELEASE_SENTENCES.charsMax }), {
        maxItems: RELEASE_SENTENCES.most,
        description:
          'The change in sentences, by object; the last one counts the objects that are left out. `changes` has all.',
      }),
    ),
    relies: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'Kind and name of the dependencies of its stages and guardrails: they cannot change while a cohort has the release.',
      }),
    ),
    planHash: Type.String({ description: 'Hash of the changes and stages; approvals refer to it.' }),
    rollbackOf: Type.Optional(Type.String({ description: 'The release that this one rolls back.' })),
    takenBack: Type.Optional(
      Type.Object(
        { how: Type.Enum(['aborted', 'rolledBack']), by: Type.String(), because: Type.String() },
        { description: 'Who ended it after it had been exposed: changes on top of it wait for a decision.' },
      ),
    ),
    open: Type.Boolean({ description: 'True until it is finished.' }),
  },
  { description: 'A change that is being released. Written by the release engine.' },
);

/** A policy, as it was when a release began. */
export interface NamedPolicy {
  readonly name: string;
  readonly spec: PolicySpec;
}

export interface ReleaseSpec extends Omit<Static<typeof Schema>, 'policy' | 'otherPolicies'> {
  readonly policy?: NamedPolicy;
  readonly otherPolicies?: readonly NamedPolicy[];
}

/** Its policies are typed by hand: only the program knows the targets that a stage may name. */
export const ReleaseSchema = Type.Unsafe<ReleaseSpec>(Schema);

export type ReleaseItem = Static<typeof ReleaseItem>;
export type Side = Static<typeof Side>;

/** The namespaces of the objects of a release, before and after; an empty one for cluster objects. */
export function namespacesOf({ objects }: Pick<ReleaseSpec, 'objects'>): readonly string[] {
  const namespaces = objects.flatMap(({ from, to }) => [from, to].flatMap((side) => side?.namespace ?? []));
  return [...new Set(namespaces)].sort();
}
