import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
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

test('the tour of the README does what it says', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'backline-tour-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const server = spawn('npm', ['start', '--silent', '--', '--port', '0', '--data', data, '--quiet'], {
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
  assert.match(ready, /^ready http:\/\/127\.0\.0\.1:\d+ kubeconfig=\S+kubeconfig$/);

  const steps = stepsOf(await readFile(join(root, 'README.md'), 'utf8'));
  assert.ok(steps.length >= 8, 'the tour has been found');
  for (const { command, expected } of steps) {
    const { stdout, stderr } = await execute('/bin/sh', ['-c', `cd '${root}' && ${command}`], '', {
      BACKLINE_KUBECONFIG: join(data, 'kubeconfig'),
    });
    assert.match(stdout + stderr, pattern(expected), command);
  }

  const stopped = once(server, 'exit');
  // As a terminal does: the signal goes to npm and to what npm has started.
  process.kill(-(server.pid ?? 0), 'SIGTERM');
  const [code] = await stopped;
  assert.equal(code, 0, 'it stops in order, with status 0');
});
