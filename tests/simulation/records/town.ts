import assert from 'node:assert/strict';
import type { Answer } from '../../support/backline.ts';
import type { ClockedNode } from '../../support/clocked-nodes.ts';
import type { Json } from '../../support/installation.ts';
import { ANCHORS, FEATURES, Oracle, PEOPLE, PLANS, type Feature, type Step, type OracleAnswer } from './oracle.ts';
import type { Stage } from './stage.ts';

/** Idle connections of a pool may all be cut. */
const CHECK_TRIES_MAX = 20;
/** A node applies a change within this time after the database notified it. */
const HEARD_MS_MAX = 10_000;
const TRIES_MAX = 100;
/** Steps that are repeated now and then, and operations that may be. */
const REPEATED = 40;
const REMEMBERED = 50;
/** Share of groups after which the remaining units of one listener are compared. */
const VERIFIED = 0.4;

const PATHS: Record<Step['do'], string> = {
  begin: 'subscriptions',
  plan: 'subscriptions/plan',
  lapse: 'subscriptions/lapse',
  resume: 'subscriptions/resume',
  end: 'subscriptions/end',
  join: 'subscriptions/members',
  part: 'subscriptions/members/remove',
  grant: 'grants',
  endGrant: 'grants/end',
  give: 'overrides',
  endGive: 'overrides/end',
  consume: 'consume',
  batch: 'batch/consume',
  reserve: 'reserve',
  lease: 'offline/leases',
  extend: 'extend',
  commit: 'commit',
  return: 'offline/returns',
  refund: 'refund',
  release: 'release',
  acquire: 'acquire',
  heartbeat: 'heartbeat',
  leave: 'leave',
};
/** Steps whose answer is the changed record. */
const TERMS = new Set<Step['do']>(['begin', 'plan', 'lapse', 'resume', 'end', 'join', 'part']);
const CHANGES = new Set<Step['do']>([...TERMS, 'grant', 'endGrant', 'give', 'endGive']);
const SETTLES = new Set<Step['do']>(['commit', 'return', 'refund', 'release', 'extend']);
/** Refusals of a step that has nothing to settle. */
const NOTHING = new Set([
  'products/not-counted',
  'products/plan-needed',
  'quotas/no-reservation',
  'quotas/nothing-to-refund',
]);

/** A few listeners who have to do with each other and with nobody else, and the clerk who keeps their books. */
export interface Town {
  /** Asks for something, or for several things at once; gives how many, once all agree with the clerk. */
  readonly play: (kill?: Promise<unknown>) => Promise<number>;
  /** Compares all that everybody has left. */
  readonly verifyAll: () => Promise<void>;
}

export function openTown({
  name,
  stage,
  chance,
  count,
}: {
  /** Its listeners and keys begin with it. */
  readonly name: string;
  readonly stage: Stage;
  readonly chance: () => number;
  readonly count: (what: string) => void;
}): Town {
  const below = (size: number): number => Math.floor(chance() * size);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[below(items.length)];
    assert.ok(item !== undefined, 'nothing to pick from');
    return item;
  };
  const listener = (who: string): string => `${name}${who}`;

  /** Books that agree with every answer so far: what was asked together may have been done in more than one order. */
  let clerks: readonly Oracle[] = [new Oracle()];
  let [oracle = new Oracle()] = clerks;
  /** Ids and leases that answers have given, by the key of what was asked. */
  const given = new Map<string, { readonly id?: string; readonly lease?: string }>();
  const answers = new Map<string, string>();
  const asked: Step[] = [];
  let keys = 0;

  return {
    play: async (kill) => {
      const size = kill !== undefined ? 3 : chance() < 0.2 ? 2 + below(2) : 1;
      const group = Array.from({ length: size }, () => next());
      // Now and then one of them comes twice at once.
      if (size > 1 && chance() < 0.5) group.push(pick(group));
      const replies = await Promise.all(group.map((one) => askUntilAnswered(one, kill === undefined ? below(2) : 0)));
      await kill;
      believe(agreeing(group, replies), () => unlike(group, replies));
      for (const clerk of clerks) clerk.forget(REMEMBERED);
      await Promise.all([...changedBy(group)].map(heard));
      // An error in the books does not repair itself, so checking now and then finds it.
      if (chance() < VERIFIED) await verify(pick(PEOPLE), pick(FEATURES));
      return group.length;
    },
    verifyAll: async () => {
      for (const who of PEOPLE) for (const feature of FEATURES) await verify(who, feature);
    },
  };

  /** Something to ask; mostly what makes sense, and sometimes what was asked before. */
  function next(): Step {
    if (asked.length > 0 && chance() < 0.12) {
      count('repeated');
      return pick(asked.slice(-REPEATED));
    }
    const made = { key: `${name}k${(keys += 1)}`, atMs: stage.nowMs(), ...wish() } as Step;
    asked.push(made);
    count(made.do);
    return made;
  }

  function wish(): Wish {
    const who = pick(PEOPLE);
    const feature = pick(FEATURES);
    const subs = [...oracle.subs.values()].filter(({ status }) => status !== 'ended' || chance() < 0.05);
    const dice = chance();
    const way = chance() < 0.15 ? { isYearly: true } : {};
    if (subs.length === 0 || (dice < 0.1 && subs.length < 4) || dice < 0.02) {
      return { do: 'begin', who, plan: pick(PLANS), anchor: pick(ANCHORS), ...way };
    }
    const sub = pick(subs);
    const of = sub.id;
    if (dice < 0.2) return { do: 'plan', of, plan: pick(PLANS), ...way };
    if (dice < 0.26) {
      return { do: sub.status === 'lapsed' || chance() < 0.2 ? 'resume' : pick(['lapse', 'end'] as const), of };
    }
    if (dice < 0.32) {
      const joins = PEOPLE.filter((one) => one !== sub.manager);
      return { do: 'join', of, who: pick(joins), role: pick(['member', 'child']) };
    }
    if (dice < 0.35) return { do: 'part', of, who };
    if (dice < 0.38) return { do: 'grant', who };
    const inForce = (all: readonly { readonly untilMs: number }[]) =>
      all.filter(({ untilMs }) => untilMs > stage.nowMs());
    const [grants, gifts] = [inForce(oracle.grants), inForce(oracle.gifts)] as [
      typeof oracle.grants,
      typeof oracle.gifts,
    ];
    if (dice < 0.39 && grants.length > 0) return { do: 'endGrant', of: pick(grants).id };
    if (dice < 0.41) return { do: 'give', who, limit: below(1_500), hours: 1 + below(200) };
    if (dice < 0.42 && gifts.length > 0) return { do: 'endGive', of: pick(gifts).id };
    if (dice < 0.48) {
      const what = pick(['acquire', 'acquire', 'acquire', 'heartbeat', 'leave'] as const);
      return { do: what, who, session: pick(['tv', 'car']) };
    }
    const amount = 1 + below(feature === 'books' ? 500 : 60);
    if (dice < 0.66) {
      const late = chance() < 0.2 ? { agoMs: below(40 * 3_600_000) } : {};
      return { do: 'consume', who, feature, amount, ...late, ...(chance() < 0.2 ? { isPartial: true } : {}) };
    }
    if (dice < 0.69) return { do: 'batch', who, books: 1 + below(300), podmin: 1 + below(60) };
    if (dice < 0.77) return { do: 'reserve', who, feature, amount };
    if (dice < 0.81) return { do: 'lease', who, feature: 'books', amount };
    const open = [...oracle.done.values()].filter(({ state }) => state === 'held' || state === 'taken');
    const wanted = pick(['consume', 'reserve', 'reserve', 'reserve', 'lease']);
    const some = open.filter(({ step: { do: what } }) => what === wanted).slice(-6);
    if (some.length === 0) return { do: 'consume', who, feature, amount };
    const { step: about, lines } = pick(some) as {
      step: Extract<Step, { do: 'consume' | 'reserve' | 'lease' }>;
      lines: readonly { amount: number }[];
    };
    const most = lines.reduce((sum, line) => sum + line.amount, 0);
    const own = { who: about.who, feature: about.feature, of: about.key };
    if (about.do === 'lease' && lines.length > 0) return { ...own, do: 'return', amount: below(most + 1) };
    if (about.do === 'consume') return { ...own, do: 'refund', amount: 1 + below(Math.max(1, most)) };
    if (chance() < 0.35) return { ...own, do: 'extend' };
    return chance() < 0.3 ? { ...own, do: 'release' } : { ...own, do: 'commit', amount: below(most + 1) };
  }

  /** Asks until there is an answer: a caller without one sends the request again. */
  async function askUntilAnswered(step: Step, first: number): Promise<OracleAnswer> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const node = stage.nodes[(first + tries) % stage.nodes.length];
      const answer = await node?.call('POST', `/v1/${PATHS[step.do]}`, { body: bodyOf(step) }).catch(() => undefined);
      if (answer !== undefined && answer.status < 500) return readAnswer(step, answer);
      count('asked again');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return assert.fail(`no answer to ${JSON.stringify(step)}`);
  }

  function bodyOf(step: Step): object {
    const { key } = step;
    const who = 'who' in step ? listener(step.who) : '';
    const of = 'of' in step ? (given.get(step.of)?.id ?? step.of) : '';
    const bought = 'isYearly' in step ? { channel: 'apple', interval: 'P1Y' } : {};
    switch (step.do) {
      case 'begin':
        return { key, listener: who, plan: step.plan, market: 'de', anchor: step.anchor, ...bought };
      case 'plan':
        return { key, subscription: of, plan: step.plan, ...bought };
      case 'join':
        return { key, subscription: of, listener: who, role: step.role };
      case 'part':
        return { key, subscription: of, listener: who };
      case 'lapse':
      case 'resume':
      case 'end':
        return { key, subscription: of };
      case 'grant':
        return { key, listener: who, addOn: 'ten' };
      case 'endGrant':
        return { key, grant: of };
      case 'give': {
        const until = new Date(step.atMs + step.hours * 3_600_000).toISOString();
        return { key, listener: who, feature: 'books', limit: step.limit, reason: 'sorry', until };
      }
      case 'endGive':
        return { key, override: of };
      case 'batch': {
        const items = (['books', 'podmin'] as const).map((feature) => ({ feature, amount: step[feature] }));
        return { key, listener: who, items };
      }
      case 'acquire':
        return { listener: who, feature: 'streams', session: step.session, holder: step.session, seconds: 7_200 };
      case 'heartbeat':
        return { listener: who, feature: 'streams', session: step.session, seconds: 7_200 };
      case 'leave':
        return { listener: who, feature: 'streams', session: step.session };
      default: {
        const use = { key, listener: who, feature: step.feature };
        if (step.do === 'release') return { ...use, of: step.of };
        if (step.do === 'extend') return { ...use, of: step.of, seconds: 6 * 3_600 };
        const { amount } = step;
        if (step.do === 'return') {
          return { ...use, device: 'd', lease: given.get(step.of)?.lease ?? 'none', used: amount };
        }
        if (step.do === 'commit' || step.do === 'refund') return { ...use, of: step.of, amount };
        if (step.do === 'reserve') return { ...use, amount, seconds: 6 * 3_600 };
        if (step.do === 'lease') return { ...use, amount, device: 'd' };
        const usedAt = step.agoMs === undefined ? {} : { usedAt: new Date(step.atMs - step.agoMs).toISOString() };
        return { ...use, amount, ...usedAt, ...(step.isPartial === true ? { partial: true } : {}) };
      }
    }
  }

  function readAnswer(step: Step, { status, json, text }: Answer): OracleAnswer {
    if (status !== 200) {
      assert.ok(
        status >= 400 && status < 500 && typeof json.code === 'string',
        `${JSON.stringify(step)}: ${status} ${text}`,
      );
      return SETTLES.has(step.do) && NOTHING.has(json.code) ? 'nothing' : json.code;
    }
    const { snapshot: _, replayed: __, record: ___, ...rest } = json;
    if (step.do === 'acquire') return rest.outcome === 'allow' ? 'allow' : 'no';
    if (step.do === 'heartbeat' || step.do === 'leave') return rest.outcome;
    const content = JSON.stringify(rest);
    // Sentences of usage answers name declared objects, which may have changed: a repeat compares the other fields.
    const kept = CHANGES.has(step.do)
      ? content
      : JSON.stringify([rest.outcome, rest.charged, rest.receipt, rest.lease]);
    const before = answers.get(step.key);
    if (before !== undefined) assert.equal(kept, before, `repeated: ${JSON.stringify(step)}`);
    if (CHANGES.has(step.do) || rest.receipt !== undefined) answers.set(step.key, kept);
    if (typeof rest.id === 'string' || typeof rest.lease === 'string') given.set(step.key, rest);
    if (!CHANGES.has(step.do)) return `charged ${rest.charged}`;
    if (!TERMS.has(step.do)) return 'done';
    const members = (rest.members as Json[])
      .map((one) => `${one.listener.slice(name.length)}:${one.role}`)
      .sort()
      .join(' ');
    return `${rest.plan} ${rest.status} ${rest.price?.amount ?? 'nothing'} ${members}`;
  }

  /** All books in which a clerk would have answered the same, in whatever order this was done. */
  function agreeing(group: readonly Step[], replies: readonly OracleAnswer[]): readonly Oracle[] {
    const nowMs = stage.nowMs();
    /** Possible states after some steps: a bit for each step that is done, with the text of the books. */
    let open = new Map(clerks.map((clerk, index) => [`0 ${index}`, { done: 0, clerk }]));
    for (let place = 0; place < group.length; place += 1) {
      const next: typeof open = new Map();
      for (const { done, clerk } of open.values()) {
        for (const [index, step] of group.entries()) {
          if ((done & (1 << index)) !== 0) continue;
          const after = clerk.clone();
          if (after.tell(step, nowMs) !== replies[index]) continue;
          const all = done | (1 << index);
          next.set(group.length === 1 ? `${next.size}` : `${all} ${after.text()}`, { done: all, clerk: after });
        }
      }
      open = next;
    }
    return [...open.values()].map(({ clerk }) => clerk);
  }

  function believe(all: readonly Oracle[], why: () => string): void {
    const [some] = all;
    if (some === undefined) {
      const before = asked.slice(-40).map((one) => JSON.stringify(one));
      assert.fail(`${why()}\nafter\n${before.join('\n')}`);
    }
    clerks = all;
    oracle = some;
  }

  function unlike(group: readonly Step[], replies: readonly OracleAnswer[]): string {
    const clerk = oracle.clone();
    const lines = group.map((one, index) => {
      return `${JSON.stringify(one)}\n  answered ${replies[index]}, the clerk ${clerk.tell(one, stage.nowMs())}`;
    });
    return lines.join('\n');
  }

  /** Listeners whose record may have changed. */
  function changedBy(group: readonly Step[]): ReadonlySet<string> {
    const all = group
      .filter((one) => CHANGES.has(one.do))
      .flatMap((one) => {
        const sub = 'of' in one ? oracle.subs.get(one.of) : undefined;
        const bought = 'of' in one ? [...oracle.grants, ...oracle.gifts].find(({ id }) => id === one.of) : undefined;
        const named = [sub?.manager, bought?.who, 'who' in one ? one.who : undefined];
        return [...named, ...(sub?.members.keys() ?? [])].filter((who) => who !== undefined);
      });
    return new Set(all);
  }

  /** Waits until every node knows of the changes that were made on others. */
  async function heard(who: string): Promise<void> {
    const named = encodeURIComponent(listener(who));
    const record = await stage.nodes[0]?.call('GET', `/v1/subjects?listener=${named}`);
    const version = record?.json.version;
    await Promise.all(stage.nodes.map((node) => hearing(node, named, version)));
  }

  async function hearing(node: ClockedNode, who: string, version: number): Promise<void> {
    const endMs = performance.now() + HEARD_MS_MAX;
    for (;;) {
      const answer = await check(node, `/v1/check?listener=${who}&feature=hq&plan=free&market=de`);
      // Changes that follow from a change count as well, once they are done.
      if (answer.json.record >= version) return;
      assert.ok(performance.now() < endMs, `a node has not heard of ${who}: ${answer.json.record} of ${version}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** A question whose connection is cut is asked again, as a caller does: kills of another town cut those of this one too. */
  async function check(node: ClockedNode, path: string): ReturnType<ClockedNode['call']> {
    let answer = await node.call('GET', path);
    for (let tries = 1; answer.status === 503 && tries < CHECK_TRIES_MAX; tries += 1)
      answer = await node.call('GET', path);
    assert.equal(answer.status, 200, `nobody is locked out: ${answer.text}`);
    return answer;
  }

  async function verify(who: string, feature: Feature): Promise<void> {
    const node = pick(stage.nodes);
    const path = `/v1/check?listener=${encodeURIComponent(listener(who))}&feature=${feature}&plan=free&market=de`;
    const answer = await check(node, path);
    const isSo = (clerk: Oracle): boolean => {
      const left = clerk.remaining(who, feature, stage.nowMs());
      return left === undefined || left === answer.json.usage?.remaining;
    };
    count('verified');
    believe(
      clerks.filter(isSo),
      () =>
        `${who} has ${answer.json.usage?.remaining} of ${feature}, not ${oracle.remaining(who, feature, stage.nowMs())}`,
    );
  }
}

type Wish = Step extends infer One ? (One extends Step ? Omit<One, 'key' | 'atMs'> : never) : never;
