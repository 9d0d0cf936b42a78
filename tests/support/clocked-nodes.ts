import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Connection } from '#kernel/api/client/http.ts';
import type { Role } from '#planes/parts/shared.ts';
import { caller, type Call } from './backline.ts';
import type { ClockedNodeOptions, NodeReady, ClockMessage } from './clocked-node.ts';
import { startDatabase } from './database.ts';

const PROGRAM = join(import.meta.dirname, 'clocked-node.ts');

/** A process of an installation whose time is what the test says. */
export interface ClockedNode {
  /** Fails when the node dies before it has answered. */
  readonly call: Call;
  /** SIGKILL; what is under way there is never answered. */
  readonly kill: () => Promise<void>;
  /** Another one in its place, at the time of now. */
  readonly restart: () => Promise<void>;
}

/** A node that other programs ask too. */
export interface ClockedProcess extends ClockedNode {
  readonly connection: () => Connection;
  /** Whether it has ended by itself. */
  readonly hasEnded: () => boolean;
}

interface Child {
  readonly process: ChildProcess;
  readonly gone: Promise<unknown>;
  /** Called when it has answered. */
  heard: () => void;
}

/** Several processes on one database that share one clock: the test's. */
export interface ClockedNodes<Node extends ClockedNode = ClockedNode> {
  readonly nodes: readonly Node[];
  readonly nowMs: () => number;
  /** Resolves when it is that time everywhere. */
  readonly travelTo: (ms: number) => Promise<void>;
}

export async function startClockedNodes(
  t: TestContext,
  options: Pick<ClockedNodeOptions, 'rollUpSeconds' | 'logLevel'> & {
    readonly count: number;
    readonly nowMs: number;
    readonly roles?: readonly Role[];
    /** A database that the test keeps; default one of its own. */
    readonly databaseUrl?: string;
  },
): Promise<ClockedNodes<ClockedProcess>> {
  const { count, roles = ['api', 'decide'], databaseUrl, rollUpSeconds, logLevel } = options;
  let { nowMs } = options;
  const database = databaseUrl === undefined ? await startDatabase() : undefined;
  const folder = await mkdtemp(join(tmpdir(), 'backline-clocked-'));
  const children: (Child | undefined)[] = [];
  const connections: Connection[] = [];
  t.after(async () => {
    await Promise.all(children.map((_, index) => kill(index)));
    await database?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  for (let index = 0; index < count; index += 1) {
    // The processes of one installation share their keys and tokens; the first one makes them.
    if (index > 0) await cp(join(folder, '0'), join(folder, String(index)), { recursive: true });
    await start(index);
  }
  return {
    nodes: Array.from({ length: count }, (_, index) => ({
      call: (...asked) => caller(connectionOf(index))(...asked),
      connection: () => connectionOf(index),
      hasEnded: () => children[index]?.process.exitCode !== null,
      kill: () => kill(index),
      restart: async () => {
        await kill(index);
        await start(index);
      },
    })),
    nowMs: () => nowMs,
    travelTo: async (ms) => {
      nowMs = ms;
      await Promise.all(children.flatMap((child) => (child === undefined ? [] : [tell(child, { nowMs })])));
    },
  };

  function connectionOf(index: number): Connection {
    const connection = connections[index];
    if (connection === undefined) throw new Error('a node that was never started is asked');
    return connection;
  }

  async function start(index: number): Promise<void> {
    const started: ClockedNodeOptions = {
      roles,
      dataDirectory: join(folder, String(index)),
      datasetsDirectory: join(folder, 'datasets'),
      databaseUrl: databaseUrl ?? database?.url,
      port: 0,
      rollUpSeconds,
      logLevel,
      nowMs,
    };
    const process = fork(PROGRAM, [JSON.stringify(started)]);
    const child: Child = { process, gone: once(process, 'exit'), heard: () => {} };
    children[index] = child;
    const [ready] = (await once(process, 'message')) as [NodeReady];
    process.on('message', () => child.heard());
    connections[index] = { server: `http://127.0.0.1:${ready.port}`, token: ready.token };
    await tell(child, { nowMs });
  }

  async function kill(index: number): Promise<void> {
    const child = children[index];
    children[index] = undefined;
    child?.process.kill('SIGKILL');
    await child?.gone;
  }
}

async function tell(child: Child, message: ClockMessage): Promise<void> {
  const heard = new Promise<void>((resolve) => {
    child.heard = resolve;
  });
  child.process.send(message);
  await Promise.race([heard, child.gone]);
}
