import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { METRICS } from '../../tools/reference/metrics.ts';
import { execute } from '../support/kubectl.ts';

const root = resolve(import.meta.dirname, '../..');

interface Step {
  readonly command: string;
  /** Lines of output; `…` stands for any text, alone on a line for any lines. */
  readonly expected: string;
}

/** The commands of the fenced blocks marked `sh tour`, with what they should print. */
function stepsOf(markdown: string): Step[] {
  const blocks = [...markdown.matchAll(/^```sh tour\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [command = '', ...lines] = text.trimEnd().split('\n');
        return { command, expected: lines.join('\n') };
      }),
  );
}

function pattern(expected: string): RegExp {
  const escaped = expected.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  // Amounts are shown with no-break spaces, which an editor does not show.
  const spaced = escaped.replaceAll(' ', '[ \\u00a0\\u202f]');
  return new RegExp(`^${spaced.replaceAll(/^…$/gm, '[\\s\\S]*?').replaceAll('…', '.*')}\\s*$`);
}

/** Starts the product as its reader does, runs every step of some guides, and stops it as a terminal does. */
async function follow(
  t: TestContext,
  guides: readonly string[],
  options: readonly string[],
  stepsMin: number,
): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'backline-tour-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const server = spawn('npm', ['start', '--silent', '--', '--port', '0', '--data', data, '--quiet', ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  t.after(async () => {
    if (server.exitCode !== null) return;
    process.kill(-(server.pid ?? 0), 'SIGKILL');
    await once(server, 'exit');
  });
  let ready = '';
  for await (const line of createInterface({ input: server.stdout })) {
    ready = line;
    break;
  }
  const [, url = ''] = /^ready (http:\/\/127\.0\.0\.1:\d+) kubeconfig=\S+kubeconfig$/.exec(ready) ?? [];
  assert.notEqual(url, '', ready);

  const texts = await Promise.all(guides.map((guide) => readFile(join(root, guide), 'utf8')));
  const steps = texts.flatMap(stepsOf);
  assert.ok(steps.length >= stepsMin, 'the steps have been found');
  for (const { command, expected } of steps) {
    // The folder and the port that the guide names are others here.
    const here = command.replaceAll(/\.(?:first|backline)\//g, `${data}/`).replaceAll('http://127.0.0.1:7700', url);
    const { stdout, stderr } = await execute('/bin/sh', ['-c', `cd '${root}' && ${here}`], '', {
      BACKLINE_KUBECONFIG: join(data, 'kubeconfig'),
    });
    assert.match(stdout + stderr, pattern(expected), command);
  }

  const metrics = await (await fetch(`${url}/metrics`)).text();
  for (const [name] of texts.join().matchAll(/\bbackline_[a-z_]+/g)) {
    assert.ok(metrics.includes(`# TYPE ${name} `), `${name} is no metric`);
  }
  assert.deepEqual(describedMetrics(metrics), METRICS_OF_REFERENCE, 'tools/reference/metrics.ts');
  for (const [sample, name = '', labels = ''] of metrics.matchAll(
    /^(backline_\w+?)(?:_bucket|_count|_sum)?\{(.*)\} /gm,
  )) {
    const known = new Set([...(METRICS[name]?.labels ?? []), 'le']);
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) assert.ok(known.has(label), sample);
  }

  const stopped = once(server, 'exit');
  // A terminal also sends the signal to npm and to its child processes.
  process.kill(-(server.pid ?? 0), 'SIGTERM');
  const [code] = await stopped;
  assert.equal(code, 0, 'it stops in order, with status 0');
}

/** Name, type and help of each metric in the reference, which a server must also give. */
const METRICS_OF_REFERENCE = Object.entries(METRICS)
  .map(([name, { type, help }]) => `${name} ${type} ${help}`)
  .toSorted();

/** The program's own metrics as a server describes them. */
function describedMetrics(text: string): readonly string[] {
  return [...text.matchAll(/^# HELP (backline_\w+) (.*)\n# TYPE \w+ (\w+)$/gm)]
    .map(([, name, help, type]) => `${name} ${type} ${help}`)
    .toSorted();
}

test('the tours of the README and of the ads do what they say', (t) =>
  follow(
    t,
    [
      'README.md',
      'docs/ads-tour.md',
      'docs/how-to/draft-a-campaign.md',
      'docs/how-to/guard-writes-with-a-policy.md',
      'docs/how-to/define-a-kind.md',
    ],
    [],
    30,
  ));

test('the guides to a first plan and for people on call do what they say', (t) =>
  follow(t, ['docs/first-plan.md', 'docs/on-call.md'], ['--no-sample'], 14));
