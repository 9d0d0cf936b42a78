import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { seeded } from '#kernel/base/chance.ts';
import type { Answer } from '../../support/backline.ts';
import { startClockedNodes, type ClockedNode } from '../../support/clocked-nodes.ts';
import { changeSet, CHANGE_SETS } from '../../support/flags.ts';
import type { Json } from '../../support/installation.ts';
import { RECORDS_CATALOGUE } from '../../support/records-catalogue.ts';
import { Oracle, type Feature, type Step, type Told } from './oracle.ts';

const BEGIN_MS = Date.parse('2026-11-20T09:00:00Z');
const PEOPLE = ['a', 'b', 'c/d', 'e'] as const;
const PLANS = ['weekly', 'monthly', 'all', 'none', 'duo', 'family'] as const;
const ANCHORS = ['2026-10-10T00:00:00', '2026-10-25T12:00:00', '2026-01-31T15:00:00'] as const;
const FEATURES: readonly Feature[] = ['books', 'podmin', 'skips'];
const PASSES_MS = [1, 1, 1_000, 60_000, 3_600_000, 5 * 3_600_000, 26 * 3_600_000];
/** A node that was told of a change by the database knows it within so long. */
const HEARD_MS_MAX = 5_000;
const TRIES_MAX = 20;
/** Steps that are repeated now and then, and operations that may be. */
const REPEATED = 40;
const REMEMBERED = 80;

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
  consume: 'consume',
  reserve: 'reserve',
  lease: 'offline/leases',
  commit: 'commit',
  return: 'offline/returns',
  refund: 'refund',
  release: 'release',
};
const CHANGES = new Set<Step['do']>(['begin', 'plan', 'lapse', 'resume', 'end', 'join', 'part', 'grant', 'endGrant']);

const SETTLES = new Set<Step['do']>(['commit', 'return', 'refund', 'release']);
/** There is nothing that could be settled, however it is said. */
const NOTHING = new Set([
  'products/not-counted',
  'products/plan-needed',
  'quotas/no-reservation',
  'quotas/nothing-to-refund',
]);

/**
 * Two processes on one database are asked at random, repeatedly, both at once, and killed meanwhile. Whatever they answer
 * is what one clerk with one ledger would have answered, in one order of what was asked together; a repetition is the first
 * answer; and what is left is what the clerk has left.
 */
export async function playRecords(
  t: TestContext,
  { seed, steps, kills }: { readonly seed: number; readonly steps: number; readonly kills: number },
): Promise<ReadonlyMap<string, number>> {
  const chance = seeded(seed);
  const below = (count: number): number => Math.floor(chance() * count);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[below(items.length)];
    assert.ok(item !== undefined, 'nothing to pick from');
    return item;
  };
  const world = await startClockedNodes(t, { count: 2, nowMs: BEGIN_MS });
  const [first] = world.nodes;
  const applied = await first?.call('POST', CHANGE_SETS, { body: changeSet(...RECORDS_CATALOGUE) });
  assert.equal(applied?.status, 201, applied?.text ?? 'not answered');
  for (const node of world.nodes) await untilServed(node);

  /** Books that agree with every answer so far: what was asked together may have been done in more than one order. */
  let clerks: readonly Oracle[] = [new Oracle()];
  let [oracle = new Oracle()] = clerks;
  /** Ids and leases that answers have given, by the key of what was asked. */
  const given = new Map<string, { readonly id?: string; readonly lease?: string }>();
  const answers = new Map<string, string>();
  const asked: Step[] = [];
  const counts = new Map<string, number>();
  const count = (what: string): unknown => counts.set(what, (counts.get(what) ?? 0) + 1);
  const killAt = new Set(Array.from({ length: kills }, (_, index) => Math.floor(((index + 1) * steps) / (kills + 1))));
  let keys = 0;

  for (let step = 0; step < steps;) {
    await world.travelTo(world.nowMs() + pick(PASSES_MS));
    const isKill = [...killAt].some((at) => at <= step && killAt.delete(at));
    const size = isKill ? 3 : chance() < 0.2 ? 2 + below(2) : 1;
    const group = Array.from({ length: size }, () => next());
    // Now and then one of them comes twice at once.
    if (size > 1 && chance() < 0.5) group.push(pick(group));
    step += group.length;
    const sending = group.map((one) => settled(one, isKill ? world.nodes[0] : pick(world.nodes)));
    if (isKill) {
      await new Promise((resolve) => setTimeout(resolve, below(15)));
      await world.nodes[0]?.kill();
      count('killed');
    }
    const told = await Promise.all(sending);
    const all = orders(group.length).flatMap((order) => clerks.flatMap((clerk) => agreeing(clerk, order, group, told)));
    believe([...new Map(all.map((clerk) => [clerk.text(), clerk])).values()], () => unlike(group, told));
    if (isKill) {
      await world.nodes[0]?.restart();
      await untilServed(world.nodes[0]);
    }
    for (const clerk of clerks) clerk.forget(REMEMBERED);
    for (const who of changedBy(group)) await heard(who);
    await verify(pick(PEOPLE), pick(FEATURES));
  }
  for (const who of PEOPLE) for (const feature of FEATURES) await verify(who, feature);
  return counts;

  /** Something to ask; mostly what makes sense, and sometimes what was asked before. */
  function next(): Step {
    if (asked.length > 0 && chance() < 0.12) {
      count('repeated');
      return pick(asked.slice(-REPEATED));
    }
    const base = { key: `k${(keys += 1)}`, atMs: world.nowMs() };
    const who = pick(PEOPLE);
    const feature = pick(FEATURES);
    const made = ((): Step => {
      const subs = [...oracle.subs.values()].filter(({ status }) => status !== 'ended' || chance() < 0.05);
      const dice = chance();
      if (subs.length === 0 || (dice < 0.12 && subs.length < 4) || dice < 0.02) {
        return { ...base, do: 'begin', who, plan: pick(PLANS), anchor: pick(ANCHORS) };
      }
      const sub = pick(subs);
      const of = sub.id;
      if (dice < 0.22) return { ...base, do: 'plan', of, plan: pick(PLANS) };
      if (dice < 0.29) {
        const what = sub.status === 'lapsed' || chance() < 0.2 ? 'resume' : pick(['lapse', 'end'] as const);
        return { ...base, do: what, of };
      }
      if (dice < 0.36) {
        const joins = PEOPLE.filter((one) => one !== sub.manager);
        return { ...base, do: 'join', of, who: pick(joins), role: pick(['member', 'child']) };
      }
      if (dice < 0.39) return { ...base, do: 'part', of, who };
      if (dice < 0.43) return { ...base, do: 'grant', who };
      const ended = oracle.grants.filter(({ untilMs }) => untilMs > base.atMs);
      if (dice < 0.44 && ended.length > 0) return { ...base, do: 'endGrant', of: pick(ended).id };
      const amount = 1 + below(feature === 'books' ? 500 : 60);
      if (dice < 0.66) {
        const late = chance() < 0.2 ? { agoMs: below(40 * 3_600_000) } : {};
        return { ...base, do: 'consume', who, feature, amount, ...late };
      }
      if (dice < 0.76) return { ...base, do: 'reserve', who, feature, amount };
      if (dice < 0.8) return { ...base, do: 'lease', who, feature: 'books', amount };
      const open = [...oracle.done.values()].filter(({ state }) => state === 'held' || state === 'taken');
      const wanted = pick(['consume', 'reserve', 'reserve', 'lease']);
      const some = open.filter(({ step: { do: what } }) => what === wanted).slice(-6);
      if (some.length === 0) return { ...base, do: 'consume', who, feature, amount };
      const { step: about, lines } = pick(some) as {
        step: Extract<Step, { do: 'consume' | 'reserve' | 'lease' }>;
        lines: readonly { amount: number }[];
      };
      const most = lines.reduce((sum, line) => sum + line.amount, 0);
      const own = { ...base, who: about.who, feature: about.feature, of: about.key };
      if (about.do === 'lease' && lines.length > 0) return { ...own, do: 'return', amount: below(most + 1) };
      if (about.do === 'consume') return { ...own, do: 'refund', amount: 1 + below(Math.max(1, most)) };
      return chance() < 0.3 ? { ...own, do: 'release' } : { ...own, do: 'commit', amount: below(most + 1) };
    })();
    asked.push(made);
    count(made.do);
    return made;
  }

  /** Asks until there is an answer: who does not know what became of a request sends it again. */
  async function settled(step: Step, node: ClockedNode | undefined): Promise<Told> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const to = tries === 0 ? node : world.nodes[(tries + (node === world.nodes[0] ? 0 : 1)) % 2];
      const answer = await to?.call('POST', `/v1/${PATHS[step.do]}`, { body: bodyOf(step) }).catch(() => undefined);
      if (answer !== undefined && answer.status < 500) return toldBy(step, answer);
      count('asked again');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return assert.fail(`no answer to ${JSON.stringify(step)}`);
  }

  function bodyOf(step: Step): object {
    const { key } = step;
    const of = 'of' in step ? (given.get(step.of)?.id ?? step.of) : '';
    switch (step.do) {
      case 'begin':
        return { key, listener: step.who, plan: step.plan, market: 'de', anchor: step.anchor };
      case 'plan':
        return { key, subscription: of, plan: step.plan };
      case 'join':
        return { key, subscription: of, listener: step.who, role: step.role };
      case 'part':
        return { key, subscription: of, listener: step.who };
      case 'lapse':
      case 'resume':
      case 'end':
        return { key, subscription: of };
      case 'grant':
        return { key, listener: step.who, addOn: 'ten' };
      case 'endGrant':
        return { key, grant: of };
      default: {
        const use = { key, listener: step.who, feature: step.feature };
        if (step.do === 'release') return { ...use, of: step.of };
        const { amount } = step;
        if (step.do === 'return')
          return { ...use, device: 'd', lease: given.get(step.of)?.lease ?? 'none', used: amount };
        if (step.do === 'commit' || step.do === 'refund') return { ...use, of: step.of, amount };
        if (step.do === 'reserve') return { ...use, amount, seconds: 6 * 3_600 };
        if (step.do === 'lease') return { ...use, amount, device: 'd' };
        const usedAt = step.agoMs === undefined ? {} : { usedAt: new Date(step.atMs - step.agoMs).toISOString() };
        return { ...use, amount, ...usedAt };
      }
    }
  }

  function toldBy(step: Step, { status, json, text }: Answer): Told {
    if (status !== 200) {
      assert.ok(
        status >= 400 && status < 500 && typeof json.code === 'string',
        `${JSON.stringify(step)}: ${status} ${text}`,
      );
      return SETTLES.has(step.do) && NOTHING.has(json.code) ? 'nothing' : json.code;
    }
    const { snapshot: _, replayed: __, record: ___, ...rest } = json;
    const said = JSON.stringify(rest);
    // Of use, the sentences name what is declared now.
    const kept = CHANGES.has(step.do) ? said : JSON.stringify([rest.outcome, rest.charged, rest.receipt, rest.lease]);
    const before = answers.get(step.key);
    if (before !== undefined) assert.equal(kept, before, `repeated: ${JSON.stringify(step)}`);
    if (CHANGES.has(step.do) || rest.receipt !== undefined) answers.set(step.key, kept);
    if (typeof rest.id === 'string' || typeof rest.lease === 'string') given.set(step.key, rest);
    if (step.do === 'grant') return 'granted';
    if (step.do === 'endGrant') return 'ended';
    if (!CHANGES.has(step.do)) return `charged ${rest.charged}`;
    const members = (rest.members as Json[]).map(({ listener, role }) => `${listener}:${role}`).sort();
    return `${rest.plan} ${rest.status} ${members.join(' ')}`;
  }

  /** The clerk's books after these requests in this order, if the clerk would have answered the same. */
  function agreeing(
    before: Oracle,
    order: readonly number[],
    group: readonly Step[],
    told: readonly Told[],
  ): readonly Oracle[] {
    const clerk = before.clone();
    for (const index of order) {
      const step = group[index];
      if (step === undefined || clerk.tell(step, world.nowMs()) !== told[index]) return [];
    }
    return [clerk];
  }

  function believe(all: readonly Oracle[], why: () => string): void {
    const [some] = all;
    if (some === undefined) {
      assert.fail(
        `seed ${seed}: ${why()}\nafter\n${asked
          .slice(-40)
          .map((one) => JSON.stringify(one))
          .join('\n')}`,
      );
    }
    clerks = all;
    oracle = some;
  }

  function unlike(group: readonly Step[], told: readonly Told[]): string {
    const clerk = oracle.clone();
    const lines = group.map((one, index) => {
      return `${JSON.stringify(one)}\n  told ${told[index]}, the clerk ${clerk.tell(one, world.nowMs())}`;
    });
    return lines.join('\n');
  }

  /** Of whom a record may have changed. */
  function changedBy(group: readonly Step[]): ReadonlySet<string> {
    const all = group
      .filter((one) => CHANGES.has(one.do))
      .flatMap((one) => {
        const sub = 'of' in one ? oracle.subs.get(one.of) : undefined;
        const grant = 'of' in one ? oracle.grants.find(({ id }) => id === one.of) : undefined;
        const named = [sub?.manager, grant?.who, 'who' in one ? one.who : undefined];
        return [...named, ...(sub?.members.keys() ?? [])].filter((who) => who !== undefined);
      });
    return new Set(all);
  }

  /** Waits until every node knows of the changes that were made on others. */
  async function heard(who: string): Promise<void> {
    const name = encodeURIComponent(who);
    const [one] = world.nodes;
    const record = await one?.call('GET', `/v1/subjects?listener=${name}`);
    const version = record?.json.version;
    for (const node of world.nodes) {
      const endMs = performance.now() + HEARD_MS_MAX;
      for (;;) {
        const answer = await node.call('GET', `/v1/entitlements?listener=${name}&plan=free&market=de`);
        assert.equal(answer.status, 200, `nobody is locked out: ${answer.text}`);
        // What goes along with a change is a change as well, once it is done.
        if (answer.json.record >= version) break;
        assert.ok(performance.now() < endMs, `a node has not heard of ${who}: ${answer.json.record} of ${version}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  async function verify(who: string, feature: Feature): Promise<void> {
    const node = pick(world.nodes);
    const path = `/v1/check?listener=${encodeURIComponent(who)}&feature=${feature}&plan=free&market=de`;
    const answer = await node.call('GET', path);
    assert.equal(answer.status, 200, `nobody is locked out: ${answer.text}`);
    const isSo = (clerk: Oracle): boolean => {
      const left = clerk.left(who, feature, world.nowMs());
      return left === undefined || left === answer.json.usage?.remaining;
    };
    count('verified');
    believe(
      clerks.filter(isSo),
      () => `${who} has ${answer.json.usage?.remaining} of ${feature}, not ${oracle.left(who, feature, world.nowMs())}`,
    );
  }
}

/** Every order of so many things. */
function orders(count: number): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  return orders(count - 1).flatMap((order) =>
    Array.from({ length: count }, (_, place) => order.toSpliced(place, 0, count - 1)),
  );
}

async function untilServed(node: ClockedNode | undefined): Promise<void> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    const answer = await node?.call('GET', '/v1/check?plan=large&market=de&feature=points').catch(() => undefined);
    if (answer?.status === 200) return;
    assert.ok(performance.now() < endMs, `the catalogue is not served: ${answer?.text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
