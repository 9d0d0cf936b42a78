import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { example, startInstallation, until, type Installation, type Json, type Office } from './installation.ts';

/** The sample business on an installation of several processes. */
export async function startAria(t: TestContext): Promise<Installation> {
  const installation = await startInstallation(t);
  await declareAria(installation);
  return installation;
}

/** Declares the sample business, whose releases take seconds, and of which no night holds anything up. */
export async function declareAria({ declare, ask }: Office): Promise<void> {
  const objects = await example('aria');
  const declared = await declare(objects.filter(({ kind }) => kind !== 'Freeze').map(inSeconds));
  assert.equal(declared.status, 201, declared.text);
  await until(
    async () => {
      const { json } = await ask('GET', '/v1/prices?market=us&plan=premium');
      return json.prices?.length > 0 ? true : undefined;
    },
    () => 'the sample to be live',
  );
}

/** A policy of the sample with stages that soak for a second, and numbers that are looked at every second. */
function inSeconds(object: Json): Json {
  if (object.kind !== 'ReleasePolicy') return object;
  const { stages, judging } = object.spec;
  return {
    ...object,
    spec: {
      ...object.spec,
      stages: stages.map((stage: object) => ({ ...stage, soak: 'PT1S' })),
      judging: { ...judging, every: 'PT1S' },
    },
  };
}

/** Waits until a release is somewhere; then it is what it is. */
export async function untilRelease(
  { release }: Pick<Office, 'release'>,
  name: string,
  isThere: (release: Json) => boolean,
  seconds?: number,
): Promise<Json> {
  let last: Json;
  return until(
    async () => {
      last = await release(name).catch(() => undefined);
      return last?.status !== undefined && isThere(last) ? last : undefined;
    },
    () => `${name}: ${last?.status?.phase} ${last?.status?.stage} ${last?.status?.message}`,
    seconds,
  );
}

export const inPhase =
  (...phases: readonly string[]) =>
  ({ status }: Json): boolean =>
    phases.includes(status.phase);
export const inStage =
  (stage: string) =>
  ({ status }: Json): boolean =>
    status.stage === stage && status.standing.state.seenMs !== undefined;

export async function apply({ declare }: Office, objects: readonly object[], token?: string): Promise<string> {
  const answer = await declare(objects, token);
  assert.equal(answer.status, 201, answer.text);
  return answer.json.status.release;
}

export async function command(
  { tell }: Office,
  name: string,
  verb: string,
  spec: object = {},
  token?: string,
): Promise<void> {
  const answer = await tell(name, verb, spec, token);
  assert.equal(answer.status, 201, `${verb} ${name}: ${answer.text}`);
}

export async function policyNamed(name: string): Promise<Json> {
  const objects = await example('aria/releases');
  return objects.map(inSeconds).find(({ kind, metadata }) => kind === 'ReleasePolicy' && metadata.name === name);
}

export function withoutGuardrails({ spec: { guardrails: _guardrails, ...spec }, ...policy }: Json): Json {
  return { ...policy, spec };
}
