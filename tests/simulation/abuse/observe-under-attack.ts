import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { ATTACKS, type AttackTarget } from './attacks.ts';
import { caller } from '../../support/backline.ts';

const EVERY_MS = 10;

export interface Observation {
  readonly answered: number;
  /** Answers that were not 200, and broken connections. */
  readonly failed: readonly string[];
  readonly p99Ms: number;
  readonly worstMs: number;
  /** The largest resident memory of the server that was seen. */
  readonly residentMb: number;
}

/** Plays an attack beside a client that asks every 10 ms, half of it decisions and half of it the resource API. */
export async function observeUnder(
  name: string,
  target: AttackTarget,
  { seconds, pid }: { readonly seconds: number; readonly pid: number },
): Promise<Observation> {
  await ATTACKS.find((attack) => attack.name === name)?.prepare?.(
    caller({ server: target.url, token: target.adminToken }),
  );
  const attacker = spawn(
    process.execPath,
    [join(import.meta.dirname, 'attacker.ts'), name, target.url, target.adminToken, String(seconds)],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const gone = once(attacker, 'exit');
  const { hostname, port } = new URL(target.url);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const latencies: number[] = [];
  const failed: string[] = [];
  let residentMb = 0;
  const pending = new Set<Promise<void>>();
  const headers = { authorization: `Bearer ${target.adminToken}` };
  const ask = (method: string, at: string, body?: string) =>
    new Promise<void>((done) => {
      const started = performance.now();
      const outgoing = request({ agent, hostname, port, method, path: at, headers }, (answer) => {
        answer.resume();
        answer.once('close', () => {
          latencies.push(performance.now() - started);
          if (answer.statusCode !== 200) failed.push(`${at}: ${answer.statusCode}`);
          done();
        });
      });
      outgoing.once('error', (error) => {
        failed.push(`${at}: ${error.message}`);
        done();
      });
      outgoing.end(body);
    });
  let isOver = false;
  void gone.then(() => {
    isOver = true;
  });
  for (let turn = 0, next = performance.now(); !isOver; turn += 1, next += EVERY_MS) {
    const one =
      turn % 2 === 0
        ? ask('POST', '/ofrep/v1/evaluate/flags/plain', JSON.stringify({ context: { targetingKey: 'listener' } }))
        : ask('GET', '/api/v1/namespaces/default');
    pending.add(one);
    void one.finally(() => pending.delete(one));
    if (turn % 10 === 0) residentMb = Math.max(residentMb, await residentOf(pid));
    await new Promise((done) => setTimeout(done, Math.max(0, next + EVERY_MS - performance.now())));
  }
  await Promise.all(pending);
  agent.destroy();
  const sorted = latencies.sort((a, b) => a - b);
  return {
    answered: sorted.length,
    failed,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Infinity,
    worstMs: sorted.at(-1) ?? Infinity,
    residentMb,
  };
}

async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
