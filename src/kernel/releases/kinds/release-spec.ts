import { Type, type Static } from 'typebox';
import { LIVE_NAME_DESCRIPTION } from '#kernel/kinds/live-name.ts';
import { KeptPolicySchema, type PolicySpec } from './policy-spec.ts';

/** Objects of one release: what a change set may hold. */
const RELEASE_OBJECTS_MAX = 10_000;

/** What is said of a release is for people: of a large one the first sentences. */
export const RELEASE_SENTENCES = { most: 50, charsMax: 500 } as const;

const Side = Type.Object(
  {
    revision: Type.String({ description: 'Content hash of the spec.' }),
    generation: Type.Integer({ description: 'The generation of the object that declared it.' }),
    namespace: Type.String({ description: 'Its namespace.' }),
    labels: Type.Record(Type.String(), Type.String(), { description: 'Its labels.' }),
    refs: Type.Array(Type.String(), { description: 'What its spec refers to: kind and name.' }),
  },
  { description: 'A revision as it is or would be live.' },
);

const Carried = Type.Object(
  {
    kind: Type.String({ description: 'Group and kind, e.g. products.backline.dev/Plan.' }),
    name: Type.String({ description: LIVE_NAME_DESCRIPTION }),
    from: Type.Optional(Side),
    to: Type.Optional(Side),
  },
  { description: 'One object: what it was, and what it becomes. Absent: it is not there.' },
);

const NAMED_POLICY = { name: Type.String({ description: 'Its name.' }), spec: KeptPolicySchema };

const Schema = Type.Object(
  {
    number: Type.Integer({ description: 'The version of the write that began it: later releases have greater ones.' }),
    authors: Type.Array(Type.String(), {
      description:
        'Who wrote any of what it brings since what is live, and who minted the tokens for that. None of them approves it.',
    }),
    unattended: Type.Optional(
      Type.Boolean({
        description:
          'The program itself declared some of it, like the deletion of what somebody owned: who caused it is unknown, and each policy needs one approval more.',
      }),
    ),
    changeSet: Type.String({ description: 'The write that made the change: the version of the first change in it.' }),
    group: Type.Optional(Type.String({ description: 'The group that was collected in it.' })),
    policy: Type.Optional(
      Type.Object(NAMED_POLICY, {
        description: 'The ReleasePolicy that it goes by, as it was when the release began; absent: everybody at once.',
      }),
    ),
    otherPolicies: Type.Optional(
      Type.Array(Type.Object(NAMED_POLICY), {
        description: 'Further policies that select something in it: their approvals are needed as well.',
      }),
    ),
    objects: Type.Array(Carried, { maxItems: RELEASE_OBJECTS_MAX, description: 'What it changes.' }),
    sentences: Type.Optional(
      Type.Array(Type.String({ maxLength: RELEASE_SENTENCES.charsMax }), {
        maxItems: RELEASE_SENTENCES.most,
        description:
          'What it means, object by object; the last one says how many more objects there are. `changes` has all.',
      }),
    ),
    relies: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'Kind and name of what its stages and guardrails go by: it stays as it is while somebody has the release.',
      }),
    ),
    planHash: Type.String({ description: 'Of what it changes and how: what approvals are for.' }),
    rollbackOf: Type.Optional(Type.String({ description: 'The release that this one takes back.' })),
    takenBack: Type.Optional(
      Type.Object(
        { how: Type.Enum(['aborted', 'rolledBack']), by: Type.String(), because: Type.String() },
        { description: 'Who took it back after somebody had it: what was declared on top of it waits for a decision.' },
      ),
    ),
    open: Type.Boolean({ description: 'True until it has come to its end.' }),
  },
  { description: 'A change on its way. Written by the release engine.' },
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

/** Its policies are typed by hand: which targets a stage names is known to the program alone. */
export const ReleaseSchema = Type.Unsafe<ReleaseSpec>(Schema);

export type Carried = Static<typeof Carried>;
export type Side = Static<typeof Side>;

/** The namespaces of what a release changes, before and after; an empty one for objects of the cluster. */
export function namespacesOf({ objects }: Pick<ReleaseSpec, 'objects'>): readonly string[] {
  const namespaces = objects.flatMap(({ from, to }) => [from, to].flatMap((side) => side?.namespace ?? []));
  return [...new Set(namespaces)].sort();
}
