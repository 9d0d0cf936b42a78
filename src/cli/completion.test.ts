import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { runCommandLine } from './program.ts';
import { fakeIo } from './testing/fake-io.ts';

async function scriptFor(shell: string): Promise<string> {
  const io = fakeIo();
  assert.equal(await runCommandLine(['completion', shell], io), 0);
  return io.written.stdout;
}

test('bash completes verbs, verbs below them, options, and values of which there are only some', async () => {
  const script = await scriptFor('bash');
  const complete = (...words: readonly string[]): string[] => {
    const ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _backline; echo "${COMPREPLY[@]}"';
    const args = ['-c', `${script}\n${ask}`, 'bash', 'backline', ...words];
    return execFileSync('bash', args, { encoding: 'utf8' }).trim().split(' ');
  };
  assert.deepEqual(complete('ap'), ['apply']);
  assert.deepEqual(complete('release', 'roll'), ['rollback']);
  assert.deepEqual(complete('apply', '--dry'), ['--dry-run']);
  assert.deepEqual(complete('get', 'plans', '-o', 'j'), ['json']);
  assert.deepEqual(complete('completion', 'f'), ['fish']);
  assert.deepEqual(complete('get', '--watch', '--as'), ['--as-of'], 'behind an option of its verb');
});

test('zsh and fish have the same verbs', async () => {
  assert.match(await scriptFor('zsh'), /^#compdef backline\n.*bashcompinit/);
  const fish = await scriptFor('fish');
  assert.match(fish, /^complete -c backline -n '__fish_use_subcommand' -f -a 'apply' -d 'declare /m);
  assert.match(fish, /^complete .*seen_subcommand_from release' -f -a 'rollback'/m);
  assert.match(fish, /^complete .*seen_subcommand_from get' -s o -l output -r -f -a 'table wide json yaml name'/m);
});
