import assert from 'node:assert/strict';
import { releaseCommands } from '#kernel/releases/api/commands.ts';
import type { GuardrailVerdict } from '#kernel/releases/evidence.ts';
import { Release } from '#kernel/releases/kinds/release.ts';
import type { CommandSpec, CommandVerb } from '#kernel/releases/kinds/release-command.ts';
import type { ReleaseSpec } from '#kernel/releases/kinds/release-spec.ts';
import type { ReleaseStatus } from '#kernel/releases/kinds/release-status.ts';
import { Node, type NodeSpec } from '#kernel/releases/testing/node.ts';
import { Head, everyoneOf, headName } from '#kernel/kinds/builtin/head.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import { put, throughApi } from './schedule.ts';
import { ReleasePolicy, World } from './world.ts';

export const MINUTE = 60_000;

/** The verdict of the judge, by how long the stage has been observed. */
type StoryJudge = (
  activeMs: number,
  guardrail: string,
) => Verdict['outcome'] | (Partial<GuardrailVerdict> & Pick<Verdict, 'outcome'>) | undefined;

/** A world without chance, in which everything goes well, unless a story says otherwise. */
export function startStory(judge: StoryJudge = () => 'pass') {
  const world = new World(
    () => 0.5,
    (_release, guardrail, activeMs) => {
      const verdict = judge(activeMs, guardrail);
      if (verdict === undefined) return undefined;
      const { outcome, ...more } = typeof verdict === 'string' ? { outcome: verdict } : verdict;
      return { outcome, because: `It is ${outcome}.`, judgeVersion: 1, figures: { of: 'nothing' }, ...more };
    },
  );
  const commands = releaseCommands({
    store: throughApi(world),
    kinds: world.kinds,
    mayApprove: world.mayApprove,
    clock: world.clock,
  });
  let requests = 0;
  world.start();
  const all = (): { name: string; spec: ReleaseSpec; status: ReleaseStatus; objects: string[] }[] =>
    [...world.store.memory.list(Release)]
      .map((entry) => entry.object())
      .sort((a, b) => Release.spec(a).number - Release.spec(b).number)
      .map((object) => {
        const status = Release.status(object);
        assert.ok(status !== undefined);
        const spec = Release.spec(object);
        return { name: object.metadata.name, spec, status, objects: spec.objects.map(({ name }) => name) };
      });
  return {
    world,
    declare: (operations: readonly Operation[], user = 'ann', mintedBy?: readonly string[]) => {
      requests += 1;
      const minted = mintedBy === undefined ? {} : { mintedBy };
      const caller = { groups: [], address: '', userAgent: '', verb: 'update', ...minted };
      world.store.commit(operations, { user, requestId: `request-${requests}`, caller });
    },
    run: (ms: number) => world.time.run(ms),
    ask: async (
      verb: CommandVerb,
      name: string,
      user = 'ann',
      spec: CommandSpec = {},
      more: { readonly groups?: readonly string[]; readonly mintedBy?: readonly string[] } = {},
    ) => {
      const given = { apiVersion: Release.apiVersion, kind: 'ReleaseCommand', metadata: { name: 'x' }, spec };
      const call = {
        user: { name: user, uid: '', groups: [], extra: {}, ...more },
        author: { user, requestId: verb },
        dryRun: false,
        namespace: undefined,
        name,
      };
      await commands.get(`${Release.id}/${verb}`)?.(given, call);
    },
    all,
    /** Releases by a policy, and rollbacks. */
    releases: () => all().filter(({ spec }) => spec.policy !== undefined || spec.rollbackOf !== undefined),
    phases: () =>
      all()
        .filter(({ spec }) => spec.policy !== undefined || spec.rollbackOf !== undefined)
        .map(({ status }) => status.phase),
    liveValue: (name: string): number | undefined => {
      const head = world.store.memory.get(Head, '', headName(Node, name))?.object();
      return (head === undefined ? undefined : (everyoneOf(head)?.object.spec as NodeSpec | undefined))?.value;
    },
    declaredValue: (name: string): number | undefined =>
      (world.store.memory.get(Node, '', name)?.object().spec as NodeSpec | undefined)?.value,
  };
}

export const node = (
  name: string,
  value: number,
  labels: Record<string, string> = { policy: 'p' },
  needs: string[] = [],
) => put(Node, name, { needs, value, neighbourMax: 9 }, labels);

export function policy(more: object = {}): Operation {
  return put(ReleasePolicy, 'p', {
    selector: { matchLabels: { policy: 'p' } },
    stages: [
      { name: 'few', listeners: { percent: 1 }, soak: 'PT1M' },
      { name: 'half', listeners: { percent: 50 }, soak: 'PT1M' },
    ],
    ...more,
  });
}

export const GUARDED = { guardrails: [{ name: 'harm', decisions: 'failed', noWorse: {} }] };

/** A node that is live at 1 and a release under way that brings it to 2. */
export async function underWay(more: object = {}, judge?: StoryJudge) {
  const story = startStory(judge);
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([policy(more)]);
  story.declare([node('x', 2)]);
  await story.run(2_000);
  const [release] = story.releases();
  assert.ok(release !== undefined);
  return { ...story, release: release.name };
}
