import { Type, type Static } from 'typebox';
import type { ControllerParts, ModuleController } from '#kernel/controllers/module-controller.ts';
import { defineModule } from '#kernel/modules/module.ts';
import type { Migration } from '#kernel/postgres/migrations/migration.ts';
import { defineTarget, type PlaceObservation } from '#kernel/releases/kinds/target.ts';
import { Head, candidateOf, everyoneOf, headName } from '#kernel/kinds/builtin/head.ts';
import { inOneStep, type Steps } from '#kernel/base/turns.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { liveName, referredFrom } from '#kernel/kinds/live-name.ts';
import type { ResourceObject, World } from '#kernel/kinds/kind.ts';
import { defineRoute, type AnswerContext, type DecisionModule } from '#kernel/snapshots/module.ts';
import { writeOwnEvents } from '#kernel/events/write-own-events.ts';
import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

/**
 * A domain that only tests have, with one of each part that a module can have: listeners vote for songs, and charts say
 * how many votes count. Adding it to a list of modules is all that it takes.
 */

const GROUP = 'charts.example.dev';

const chartRefusal = defineRefusals('charts', {
  'no-votes': { reason: 'ServiceUnavailable', meaning: 'There is no database.', remedy: 'Ask another node.' },
  'no-plan': { reason: 'Forbidden', meaning: 'The listener has no plan.', remedy: 'Subscribe.' },
  unknown: { reason: 'NotFound', meaning: 'There is no such chart.', remedy: 'See /apis/charts.example.dev.' },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof chartRefusal> {}
}
const CHART = `${GROUP}/Chart`;

const ChartSpec = Type.Object({
  title: Type.String({ minLength: 1, maxLength: 100, description: 'What people see.' }),
  size: Type.Integer({ minimum: 1, maximum: 100, description: 'How many songs it shows.' }),
  after: Type.Optional(
    Type.String({ description: 'The chart that it goes on from: NAME in its own namespace, or NAMESPACE/NAME.' }),
  ),
});

const Chart = defineKind({
  group: GROUP,
  version: 'v1',
  kind: 'Chart',
  plural: 'charts',
  scope: 'Namespaced',
  released: true,
  names: 'namespace',
  target: 'venues',
  description: 'A chart shows the songs with the most votes.',
  spec: ChartSpec,
  refs: ({ after }, namespace) =>
    after === undefined ? [] : [{ path: ['spec', 'after'], kind: CHART, name: referredFrom(namespace, after) }],
  status: Type.Object({ shows: Type.Optional(Type.Integer({ description: 'How many songs it shows.' })) }),
  columns: [
    { name: 'Shows', type: 'integer', description: 'How many songs it shows.', value: ({ status }) => status?.shows },
  ],
  example: { name: 'top', spec: { title: 'Top', size: 3 } },
});

/** Keeps a song out of all charts, from the write on. */
export const Ban = defineKind({
  group: GROUP,
  version: 'v1',
  kind: 'Ban',
  plural: 'bans',
  scope: 'Namespaced',
  direct: true,
  names: 'namespace',
  description: 'A ban keeps a song out of all charts, from the write on.',
  spec: Type.Object({ song: Type.String({ minLength: 1, maxLength: 100, description: 'The song.' }) }),
  status: Type.Object({ seen: Type.Boolean({ description: 'Whether a jury has seen it.' }) }),
  example: { name: 'anthem', spec: { song: 'Anthem' } },
});

/** A place that shows charts: what it shows is what its status says. */
const Venue = defineKind({
  group: GROUP,
  version: 'v1',
  kind: 'Venue',
  plural: 'venues',
  scope: 'Cluster',
  description: 'A venue has screens for charts.',
  spec: Type.Object({ city: Type.String({ minLength: 1, maxLength: 100, description: 'Where it is.' }) }),
  status: Type.Object({
    shown: Type.Record(Type.String(), Type.String(), { description: 'The revision of each chart.' }),
    seenAt: Type.String({ format: 'date-time', description: 'When it was last looked at.' }),
  }),
  example: { name: 'arena', spec: { city: 'berlin' } },
});

interface VenuesWhere {
  readonly cities?: readonly string[];
}

interface VenuesIntent {
  readonly parts: number;
  readonly venues: readonly string[];
}

/** A venue that was not seen for so long is unknown. */
const VENUE_STALE_MS = 30_000;
/** How often a venue is looked at, whatever Heads say. */
const VENUE_LOOK_MS = 1_000;
const NOT_SHOWN = '-';

/** Prefix of the names of Heads of charts. */
const HEADS = `${Chart.plural}.${Chart.group}.`;

/** Which revision of a chart a venue should show. */
function wantedAt(head: ResourceObject | undefined, venue: string): string {
  const candidate = head === undefined ? undefined : candidateOf(head);
  const isIn = (candidate?.where as VenuesIntent | undefined)?.venues.includes(venue) === true;
  const object = isIn ? candidate?.object : head === undefined ? undefined : everyoneOf(head)?.object;
  return object?.revision.slice(0, 8) ?? NOT_SHOWN;
}

/** Charts on screens: each venue follows Heads by itself. */
const venues = defineTarget<VenuesWhere>({
  name: 'venues',
  where: Type.Object(
    { cities: Type.Optional(Type.Array(Type.String(), { minItems: 1, description: 'Only venues there.' })) },
    { description: 'Which venues show it.' },
  ),
  whole: {},
  example: {},
  isWhole: ({ cities }) => cities === undefined,
  open: ({ store, kinds, clock }) => ({
    aim: (_release, parts, before): VenuesIntent => {
      const known = before as VenuesIntent | undefined;
      const named = [...store.list(Venue)].flatMap((entry) => {
        const { city } = Venue.spec(entry.object());
        // A venue that has come since gets no part in stages that were reached.
        const isIn = ({ cities }: VenuesWhere, index: number): boolean =>
          (cities?.includes(city) ?? true) &&
          (known === undefined || index >= known.parts || known.venues.includes(entry.name));
        return parts.some(isIn) ? [entry.name] : [];
      });
      return { parts: parts.length, venues: named.toSorted() };
    },
    plan: async ({ objects }) => ({
      problems: [],
      actions: objects.map(({ kind, name, from }) =>
        from === undefined
          ? { kind, name, undo: 'keep', remains: `The votes for chart ${name} stay.` }
          : { kind, name, undo: 'exact' },
      ),
    }),
    observe: ({ objects }) =>
      Array.from(store.list(Venue), (entry): PlaceObservation => {
        const { shown = {}, seenAt } = Venue.status(entry.object()) ?? {};
        const wanted = objects
          .map(({ kind, name }) => {
            const head = store.get(Head, '', headName(kinds.byId(kind), name));
            return wantedAt(head?.object(), entry.name);
          })
          .join();
        const observed = objects.map(({ name }) => shown[name] ?? NOT_SHOWN).join();
        const place = { name: entry.name, wanted, observed };
        if (seenAt === undefined) return { ...place, state: 'unknown', message: 'it was never seen' };
        const observedAtMs = Date.parse(seenAt);
        const isStale = clock().epochMilliseconds - observedAtMs > VENUE_STALE_MS;
        if (isStale) return { ...place, observedAtMs, state: 'unknown', message: `it was last seen at ${seenAt}` };
        return { ...place, observedAtMs, state: wanted === observed ? 'healthy' : 'progressing' };
      }),
  }),
  follow: followVenues,
});

/** Brings each venue to what Heads say. */
function followVenues({ client, inform, clock }: ControllerParts): readonly ModuleController[] {
  const places = inform(Venue);
  const heads = inform(Head);
  /** Live names of charts, by their Heads. */
  const charts = new Map<string, string>();
  const all = new Set<string>();
  return [
    {
      name: 'venue-screens',
      watches: [
        {
          informer: places,
          keys: ({ now, before }) => {
            const name = now?.metadata.name ?? before?.metadata.name ?? '';
            if (now === undefined) all.delete(name);
            else all.add(name);
            return [name];
          },
        },
        {
          informer: heads,
          keys: ({ now, before }) => {
            const head = now ?? before;
            if (head === undefined || !head.metadata.name.startsWith(HEADS)) return [];
            charts.set(head.metadata.name, Head.spec(head).object.name);
            return all;
          },
        },
      ],
      reconcile: async (name) => {
        const venue = places.get(undefined, name);
        if (venue === undefined) return;
        const shown = Object.fromEntries(
          [...charts].toSorted().flatMap(([head, chart]) => {
            const wanted = wantedAt(heads.get(undefined, head), name);
            return wanted === NOT_SHOWN ? [] : [[chart, wanted]];
          }),
        );
        const seenAt = clock().toString({ smallestUnit: 'second' });
        await client.patchStatus(Venue, { name }, { shown, seenAt });
        return { afterMs: VENUE_LOOK_MS };
      },
    },
  ];
}

const Recount = defineKind({
  group: GROUP,
  version: 'v1',
  kind: 'Recount',
  plural: 'recounts',
  scope: 'Cluster',
  verbs: ['create'],
  postedBy: 'editors',
  description: 'A recount drops the votes for a song. Posting one does so; it is not stored.',
  spec: Type.Object({ song: Type.String({ minLength: 1, maxLength: 100, description: 'The song.' }) }),
  example: { name: 'anthem', spec: { song: 'Anthem' } },
});

const votes: Migration = {
  number: 2026112901,
  name: 'chart votes',
  needs: 24,
  sql: `
    create table backline.chart_votes (
      listener text not null,
      song text not null,
      voted_at timestamptz not null,
      published boolean not null default false,
      primary key (listener, song)
    );
  `,
};

interface Charts {
  readonly charts: ReadonlyMap<string, Static<typeof ChartSpec>>;
  /** Songs that are banned. */
  readonly banned: ReadonlySet<string>;
}

/** Facts about listeners that other modules provide. */
interface NeededFacts {
  readonly planOf: (listener: string) => Promise<string | undefined>;
}

/** One song in an answer of the route. */
const Place = Type.Object({ song: Type.String(), votes: Type.Integer() });

export const charts = defineModule({
  name: 'charts',
  kinds: [Venue, Chart, Ban, Recount],
  targets: [venues],
  migrations: [votes],
  records: ({ database }) => {
    const countChanged = (text: string, values: readonly string[]): Promise<number> =>
      database
        .query<{ n: number }>({ text: `with gone as (${text} returning 1) select count(*) as n from gone`, values })
        .then(([row]) => row?.n ?? 0);
    return {
      vote: (listener: string, song: string, now: Temporal.Instant) =>
        countChanged(
          'insert into backline.chart_votes (listener, song, voted_at) values ($1, $2, $3) on conflict do nothing',
          [listener, song, now.toString()],
        ),
      most: (count: number) =>
        database.query<{ song: string; votes: number }>({
          text: `select song, count(*) as votes from backline.chart_votes group by song order by votes desc, song limit $1`,
          values: [count],
        }),
      drop: (song: string) => countChanged('delete from backline.chart_votes where song = $1', [song]),
      erasers: [
        {
          store: 'chart-votes',
          erase: (listener) => countChanged('delete from backline.chart_votes where listener = $1', [listener]),
        },
      ],
    };
  },
  decisions: ({ records }): DecisionModule<Charts> => {
    const compile = (world: World): Steps<Charts> =>
      inOneStep(() => ({
        charts: new Map([...world.list(Chart.id)].map((chart) => [chart.name, Chart.spec(chart)])),
        banned: new Set([...world.list(Ban.id)].map((ban) => Ban.spec(ban).song)),
      }));
    const requireValue = () => {
      if (records !== undefined) return records;
      throw chartRefusal('no-votes', 'This node has no database, and so no votes.');
    };
    return {
      name: 'charts',
      kinds: [Chart, Ban],
      compile,
      update: (_table, world) => compile(world),
      needs: ['planOf'],
      routes: [
        defineRoute({
          path: '/v1/charts/votes',
          access: 'write',
          summary: 'Votes for a song.',
          forServers: true,
          input: Type.Object({ listener: Type.String({ minLength: 1 }), song: Type.String({ minLength: 1 }) }),
          answer: Type.Object({ counted: Type.Boolean() }),
          handle: async ({ listener, song }, { facts, now }: AnswerContext<Charts, NeededFacts>) => {
            if ((await facts.planOf(listener)) === undefined) {
              throw chartRefusal('no-plan', 'Only who is on a plan votes.');
            }
            return { counted: (await requireValue().vote(listener, song, now)) === 1 };
          },
        }),
        defineRoute({
          path: '/v1/chart',
          access: 'catalogue',
          summary: 'The songs of a chart.',
          isAboutNobody: true,
          input: Type.Object({
            namespace: Type.String({ minLength: 1 }),
            name: Type.String({ minLength: 1 }),
          }),
          answer: Type.Object({ title: Type.String(), songs: Type.Array(Place) }),
          handle: async ({ namespace, name }, { table }: AnswerContext<Charts>) => {
            const chart = table.charts.get(liveName(Chart, namespace, name));
            if (chart === undefined) throw chartRefusal('unknown', `There is no chart "${name}".`);
            const { title, size, after } = chart;
            const before = after === undefined ? 0 : (table.charts.get(referredFrom(namespace, after))?.size ?? 0);
            const found = await requireValue().most(before + size + table.banned.size);
            const songs = found.filter(({ song }) => !table.banned.has(song)).slice(0, before + size);
            return { title, songs: songs.slice(before) };
          },
        }),
      ],
    };
  },
  // Says on each chart how many songs it shows.
  controllers: ({ client, inform }) => {
    const informer = inform(Chart);
    return [
      {
        name: 'chart-status',
        watches: [
          {
            informer,
            keys: ({ now }) => (now === undefined ? [] : [`${now.metadata.namespace}/${now.metadata.name}`]),
          },
        ],
        reconcile: async (key) => {
          const [namespace = '', name = ''] = key.split('/');
          const chart = informer.get(namespace, name);
          if (chart === undefined) return;
          const { size } = Chart.spec(chart);
          if (Chart.status(chart)?.shows === size) return;
          await client.patchStatus(Chart, { namespace, name }, { shows: size });
        },
      },
    ];
  },
  commands: ({ records }) =>
    new Map([
      [
        Recount.id,
        async ({ apiVersion, kind, metadata, spec }, { dryRun }) => {
          const { song } = Recount.spec({ spec });
          const dropped = dryRun ? 0 : ((await records?.drop(song)) ?? 0);
          return { apiVersion, kind, metadata, spec, status: { dropped } };
        },
      ],
    ]),
  // Publishes each vote once.
  jobs: ({ database, write, table, clock }) => {
    let working: Promise<void> = Promise.resolve();
    const tell = () =>
      database.transaction(async ({ query }) => {
        const rows = await query<{ listener: string; song: string; at: Temporal.Instant }>(
          `update backline.chart_votes set published = true where not published returning listener, song, voted_at as at`,
        );
        if (rows.length === 0) return;
        const events = rows.map(({ listener, song, at }) => ({
          type: 'chart-vote',
          id: `${listener} ${song}`,
          at: at.toString(),
          subject: listener,
          properties: { song },
        }));
        await writeOwnEvents({ write, table, clock }, events);
      });
    const timer = setInterval(() => {
      working = working.then(tell);
    }, 50);
    return [
      {
        close: async () => {
          clearInterval(timer);
          await working;
        },
      },
    ];
  },
  eventTypes: [
    {
      name: 'chart-vote',
      spec: {
        title: 'Somebody voted for a song',
        owner: 'charts',
        purpose: 'To know what is liked.',
        subject: 'required',
        schema: { properties: { song: { type: 'string', maxLength: 100 } }, required: ['song'] },
        retention: 'P90D',
        lateness: 'P1D',
      },
    },
  ],
});
