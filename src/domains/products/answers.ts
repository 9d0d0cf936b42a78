import { Type, type TSchema } from 'typebox';
import { CheckFields, limit, maybe, units, word } from './decisions/routes.ts';

/*
 * Response schemas of the routes that read and write listener records, for generated clients. Optional
 * members may be absent.
 */

const time = (description: string) => Type.String({ format: 'date-time', description });

const Price = Type.Optional(Type.Unknown({ description: 'Price and revision at the time of purchase.' }));

const SubscriptionAnswer = Type.Object(
  {
    id: word('Id of the subscription.'),
    manager: word('Who pays.'),
    household: word('Scope of the count.'),
    plan: word('Name of the Plan.'),
    market: word('Name of the Market.'),
    status: Type.Enum(['active', 'lapsed', 'ended'], { description: 'A lapsed subscription is paused.' }),
    anchor: Type.Object({
      wallTime: word('Wall-clock time at which its months begin.'),
      zone: word('IANA zone of the wall-clock time.'),
    }),
    planSince: time('When this plan began.'),
    startedAt: time('When it began.'),
    endedAt: Type.Optional(time('When it ended.')),
    price: Price,
    members: Type.Array(
      Type.Object({
        listener: word('Id of the listener.'),
        role: word('Role on the plan.'),
        since: time('When it began.'),
      }),
      {
        description: 'Members of the subscription.',
      },
    ),
  },
  { description: 'The subscription after the change.' },
);

const GrantAnswer = Type.Object(
  {
    id: word('Id of the grant.'),
    addOn: word('Name of the AddOn.'),
    feature: word('Name of the Feature.'),
    amount: units('Units per period, or once.'),
    validFrom: time('When it begins.'),
    validUntil: Type.Optional(time('When it ends (not included). Absent: never.')),
    recurring: Type.Boolean({ description: 'Whether it gives the amount in each period.' }),
  },
  { description: 'The grant.' },
);

const OverrideAnswer = Type.Object(
  {
    id: word('Id of the override.'),
    feature: word('Name of the Feature.'),
    limit: Type.Optional(limit("The limit in place of the plan's.")),
    value: Type.Optional(Type.Unknown({ description: "The value in place of the plan's." })),
    reason: word('Why.'),
    until: time('When it ends.'),
  },
  { description: 'The override.' },
);

const SubjectAnswer = Type.Object(
  {
    listener: word('Id of the listener.'),
    version: units('Incremented with each change.'),
    subscription: Type.Optional(SubscriptionAnswer),
    grants: Type.Array(GrantAnswer, { description: 'Grants beside the plan.' }),
    overrides: Type.Array(OverrideAnswer, { description: 'Overrides in force or past.' }),
    changes: Type.Array(
      Type.Object({
        at: time('Time of the change.'),
        by: word('The actor.'),
        action: word('The operation.'),
        detail: Type.Unknown({ description: 'Parameters of the operation.' }),
      }),
      { description: 'The latest changes.' },
    ),
  },
  { description: 'The subscription, grants, overrides, and the latest changes.' },
);

const ReceiptFields = {
  asked: Type.Optional(units('Requested units.')),
  charged: Type.Optional(units('Charged units; 0 for a denial.')),
  receipt: Type.Optional(
    Type.Array(
      Type.Object({
        bucket: word('Bucket that was charged.'),
        window: word('Window that was charged.'),
        amount: units('Charged units.'),
      }),
      { description: 'Charged units by bucket and window.' },
    ),
  ),
  replayed: Type.Optional(Type.Boolean({ description: 'Whether this repeats an earlier answer under the same key.' })),
  expiresAt: Type.Optional(time('When the reservation or lease expires.')),
};

const OutcomeFields = Type.Partial(Type.Object(CheckFields)).properties;

const UseAnswer = Type.Object(
  { ...OutcomeFields, ...ReceiptFields },
  { description: 'The outcome with its reason, remaining units and charge.' },
);
const ReceiptAnswer = Type.Object(ReceiptFields, { description: 'Charged or refunded units.' });
const SlotAnswer = Type.Object(
  {
    ...OutcomeFields,
    outcome: word('allow, upsell, deny, ended or left.'),
    session: maybe('The session.'),
    because: maybe('Why it ended.'),
    by: maybe('The session that took it over.'),
    expiresAt: Type.Optional(time('When the slot expires without a heartbeat.')),
    holders: Type.Optional(
      Type.Array(
        Type.Object({
          session: word('The session that holds it.'),
          holder: word('Name shown to other sessions, like "Kitchen speaker".'),
          since: time('When it began.'),
          expiresAt: time('When it expires.'),
          takeover: word('Token that, sent with the next acquire, ends that session.'),
        }),
        { description: 'Sessions that hold the slots, with their takeover tokens.' },
      ),
    ),
  },
  { description: 'The slot, or the sessions that hold all slots.' },
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
    { outcome: word('allow or deny.'), deniedFeature: maybe('The feature without enough units.'), ...ReceiptFields },
    { description: 'All or nothing.' },
  ),
  '/v1/acquire': SlotAnswer,
  '/v1/heartbeat': SlotAnswer,
  '/v1/leave': SlotAnswer,
  '/v1/offline/leases': Type.Object(
    { ...UseAnswer.properties, lease: maybe('Signed lease for the device.') },
    { description: 'The lease and the remaining units.' },
  ),
  '/v1/offline/returns': Type.Object(
    {
      ...UseAnswer.properties,
      return: word('Result of the return.'),
      overBudget: units('Units used beyond the lease.'),
    },
    { description: 'The recorded use.' },
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
