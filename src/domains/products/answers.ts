import { Type, type TSchema } from 'typebox';
import { CheckFields, limit, maybe, units, word } from './decisions/routes.ts';

/*
 * Response schemas of the routes that read and write listener records, for generated clients. Optional
 * members may be absent.
 */

const time = (description: string) => Type.String({ format: 'date-time', description });

const Price = Type.Optional(Type.Unknown({ description: 'What was agreed on when it was bought.' }));

const SubscriptionAnswer = Type.Object(
  {
    id: word('Id of the subscription.'),
    manager: word('Who pays.'),
    household: word('Whose use is counted together.'),
    plan: word('Name of the Plan.'),
    market: word('Name of the Market.'),
    status: Type.Enum(['active', 'lapsed', 'ended'], { description: 'A lapsed one gives nothing for now.' }),
    anchor: Type.Object({
      wallTime: word('From which its months are counted.'),
      zone: word('In this zone.'),
    }),
    planSince: time('Since when it has this plan.'),
    startedAt: time('When it began.'),
    endedAt: Type.Optional(time('When it ended.')),
    price: Price,
    members: Type.Array(Type.Object({ listener: word('Who.'), role: word('As what.'), since: time('Since when.') }), {
      description: 'Who is on it.',
    }),
  },
  { description: 'The subscription as it is after it.' },
);

const GrantAnswer = Type.Object(
  {
    id: word('Id of the grant.'),
    addOn: word('Name of the AddOn.'),
    feature: word('What it gives more of.'),
    amount: units('How much.'),
    validFrom: time('From when on.'),
    validUntil: Type.Optional(time('Until when (not included). Absent: for good.')),
    recurring: Type.Boolean({ description: 'Whether it gives as much again with each period.' }),
  },
  { description: 'What was bought beside a plan.' },
);

const OverrideAnswer = Type.Object(
  {
    id: word('Id of the override.'),
    feature: word('What it is about.'),
    limit: Type.Optional(limit('The limit that holds instead.')),
    value: Type.Optional(Type.Unknown({ description: 'The value that holds instead.' })),
    reason: word('Why.'),
    until: time('When it ends.'),
  },
  { description: 'What was given by hand.' },
);

const SubjectAnswer = Type.Object(
  {
    listener: word('Id of the listener.'),
    version: units('It grows with each change.'),
    subscription: Type.Optional(SubscriptionAnswer),
    grants: Type.Array(GrantAnswer, { description: 'What was bought beside it.' }),
    overrides: Type.Array(OverrideAnswer, { description: 'What was given by hand.' }),
    changes: Type.Array(
      Type.Object({
        at: time('When.'),
        by: word('Who did it.'),
        action: word('What was done.'),
        detail: Type.Unknown({ description: 'With what.' }),
      }),
      { description: 'The latest changes.' },
    ),
  },
  { description: 'The subscription, grants, overrides, and the latest changes.' },
);

const ReceiptFields = {
  asked: Type.Optional(units('How many were asked for.')),
  charged: Type.Optional(units('How many were counted; a denial counts none.')),
  receipt: Type.Optional(
    Type.Array(
      Type.Object({
        bucket: word('Where they were taken from.'),
        window: word('Of which window.'),
        amount: units('How many.'),
      }),
      { description: 'Where units were taken from.' },
    ),
  ),
  replayed: Type.Optional(Type.Boolean({ description: 'Whether this was answered before, under the same key.' })),
  expiresAt: Type.Optional(time('When a reservation or a lease ends by itself.')),
};

const OutcomeFields = Type.Partial(Type.Object(CheckFields)).properties;

const UseAnswer = Type.Object(
  { ...OutcomeFields, ...ReceiptFields },
  { description: 'The outcome with its reason, what is left, and what was charged.' },
);
const ReceiptAnswer = Type.Object(ReceiptFields, { description: 'What was charged or given back.' });
const SlotAnswer = Type.Object(
  {
    ...OutcomeFields,
    outcome: word('allow, upsell, deny, ended or left.'),
    session: maybe('The session that it is about.'),
    because: maybe('Why it ended.'),
    by: maybe('Who took it over.'),
    expiresAt: Type.Optional(time('When the slot ends by itself.')),
    holders: Type.Optional(
      Type.Array(
        Type.Object({
          session: word('The session that has it.'),
          holder: word('Told to others, like "Kitchen speaker".'),
          since: time('Since when.'),
          expiresAt: time('When it ends by itself.'),
          takeover: word('Sent with the next try, it ends that session.'),
        }),
        { description: 'Who has the slots, and how to take each over.' },
      ),
    ),
  },
  { description: 'Whether there is a slot, and who has the others.' },
);

const ANSWERS: Readonly<Record<string, TSchema>> = {
  '/v1/subjects': SubjectAnswer,
  '/v1/consume': UseAnswer,
  '/v1/reserve': UseAnswer,
  '/v1/extend': ReceiptAnswer,
  '/v1/commit': UseAnswer,
  '/v1/release': ReceiptAnswer,
  '/v1/refund': ReceiptAnswer,
  '/v1/batch/consume': Type.Object(
    { outcome: word('allow or deny.'), deniedFeature: maybe('Of which there is not enough.'), ...ReceiptFields },
    { description: 'All or nothing.' },
  ),
  '/v1/acquire': SlotAnswer,
  '/v1/heartbeat': SlotAnswer,
  '/v1/leave': SlotAnswer,
  '/v1/offline/leases': Type.Object(
    { ...UseAnswer.properties, lease: maybe('Signed, for the device to keep.') },
    { description: 'The lease, and what is left.' },
  ),
  '/v1/offline/returns': Type.Object(
    {
      ...UseAnswer.properties,
      return: word('What became of the lease.'),
      overBudget: units('How many were used beyond it.'),
    },
    { description: 'What was recorded.' },
  ),
  '/v1/grants': GrantAnswer,
  '/v1/grants/end': GrantAnswer,
  '/v1/overrides': OverrideAnswer,
  '/v1/overrides/end': OverrideAnswer,
};

/** Response schema of the route at a path; by default the subscription. */
export function answerOf(path: string): TSchema {
  return ANSWERS[path] ?? SubscriptionAnswer;
}
