import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { atOnce } from '#kernel/base/turns.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { Refusal, Unavailable } from '#kernel/base/failures.ts';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import { products } from '#domains/products/module.ts';
import { openDesk } from '#domains/products/open-desk.ts';
import { worldOf } from '#domains/products/testing/world.ts';
import type { Answer, Call } from '../../support/backline.ts';
import { startClockedNodes, type ClockedNode, type ClockedNodes } from '../../support/clocked-nodes.ts';
import { startDatabase } from '../../support/database.ts';
import { changeSet, CHANGE_SETS } from '../../support/flags.ts';
import { RECORDS_CATALOGUE } from '../../support/records-catalogue.ts';

const BEGIN_MS = Date.parse('2026-11-20T09:00:00Z');

/** Where the model is played: two nodes of one installation, which has the catalogue, and a clock that the model sets. */
export type Stage = ClockedNodes;

/** Processes that are asked over HTTP, and killed. */
export async function stageOfProcesses(t: TestContext): Promise<Stage> {
  const stage = await startClockedNodes(t, { count: 2, nowMs: BEGIN_MS });
  const applied = await stage.nodes[0]?.call('POST', CHANGE_SETS, { body: changeSet(...RECORDS_CATALOGUE) });
  if (applied?.status !== 201) throw new Error(applied?.text ?? 'not answered');
  await Promise.all(stage.nodes.map(untilServed));
  const nodes = stage.nodes.map((node): ClockedNode => ({
    ...node,
    restart: async () => {
      await node.restart();
      await untilServed(node);
    },
  }));
  return { ...stage, nodes };
}

async function untilServed({ call }: Pick<ClockedNode, 'call'>): Promise<void> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    const answer = await call('GET', '/v1/check?plan=large&market=de&feature=points').catch(() => undefined);
    if (answer?.status === 200) return;
    if (performance.now() > endMs) throw new Error(`the catalogue is not served: ${answer?.text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * The same without processes and HTTP: what the routes do, twice on one database, in this process. A kill cuts all
 * connections of the database, in whatever they are doing.
 */
export async function stageOfDesks(t: TestContext): Promise<Stage> {
  const { url, database, [Symbol.asyncDispose]: dispose } = await startDatabase();
  let nowMs = BEGIN_MS;
  const clock = (): Temporal.Instant => Temporal.Instant.fromEpochMilliseconds(nowMs);
  const world = worldOf(RECORDS_CATALOGUE as Parameters<typeof worldOf>[0]);
  const log = openLog('silent');
  const closing: (() => Promise<void>)[] = [];
  t.after(async () => {
    await Promise.all(closing.map((close) => close()));
    await dispose();
  });
  const nodes = Array.from({ length: 2 }, (): ClockedNode => {
    const own = openDatabase(url);
    const signer = hmacSigner(Buffer.alloc(32, 7));
    const quotas = openQuotas({ databases: [own], clock, signer, log, registry: new Registry() });
    closing.push(async () => {
      await records.close?.();
      await quotas.close();
      await own.close();
    });
    const records = openDesk({ database: own, quotas, clock, log });
    const decisions = products.decisions?.({ records, random: Math.random, log });
    const table = decisions && atOnce(decisions.compile(world, compileAudiences(world)));
    const { routes = [] } = decisions ?? {};
    const byPath = new Map(routes.map((route) => [route.path, route]));
    const call: Call = async (_method, path, { body } = {}) => {
      const { pathname, searchParams } = new URL(path, 'http://model');
      const route = byPath.get(pathname);
      if (route === undefined) throw new Error(`no route ${pathname}`);
      try {
        const input = body ?? Object.fromEntries(searchParams);
        return answerWith(
          200,
          await route.handle(input, {
            table,
            facts: {},
            now: clock(),
            by: 'user:model',
            isTrusted: true,
            snapshotAgeMs: () => 0,
            limit: { signal: new AbortController().signal, leftMs: Infinity },
          }),
        );
      } catch (error) {
        if (error instanceof Unavailable) return answerWith(503, {});
        if (!(error instanceof Refusal)) throw error;
        return answerWith(error.status, { code: error.code });
      }
    };
    const kill = async (): Promise<void> => {
      await database.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    };
    return { call, kill, restart: async () => {} };
  });
  return {
    nodes,
    nowMs: () => nowMs,
    travelTo: async (ms) => {
      nowMs = ms;
    },
  };
}

function answerWith(status: number, json: object): Answer {
  // The JSON text is parsed again, as over HTTP.
  const text = JSON.stringify(json);
  return { status, headers: {}, text, json: JSON.parse(text) };
}
