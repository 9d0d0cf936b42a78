import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommandLine } from './program.ts';
import { fakeIo } from './testing/fake-io.ts';

async function run(line: string) {
  const io = fakeIo();
  const status = await runCommandLine(line === '' ? [] : line.split(' '), io);
  return { status, out: io.written.stdout, err: io.written.stderr };
}

const VERBS = ['up', 'serve', 'apply', 'plan', 'release', 'get', 'check', 'prices', 'explain', 'import', 'version'];

test('help names every verb and every exit status', async () => {
  const { status, out } = await run('--help');
  assert.equal(status, 0);
  for (const verb of VERBS) assert.match(out, new RegExp(`^  ${verb} `, 'm'));
  for (const code of [0, 1, 2, 64, 69]) assert.match(out, new RegExp(`^  ${code} +\\S`, 'm'));
});

for (const verb of VERBS) {
  test(`help of ${verb} says what it does and what it takes`, async () => {
    const { status, out } = await run(`${verb} --help`);
    assert.equal(status, 0);
    assert.match(out, new RegExp(`^Usage: backline ${verb}`));
    if (verb !== 'version') assert.match(out, /Examples:\n {2}\$ /);
  });
}

const RELEASE_VERBS =
  'list show watch approve pause resume promote abort rollback pin unpin seal stop-all resume-all'.split(' ');

for (const verb of RELEASE_VERBS) {
  test(`help of release ${verb} says what it does, and how it is written`, async () => {
    const { status, out } = await run(`release ${verb} --help`);
    assert.equal(status, 0);
    assert.match(out, new RegExp(`^Usage: backline release ${verb}`));
    assert.match(out, /Examples:\n {2}\$ backline release /);
  });
}

for (const verb of 'tree decide explain reconcile report'.split(' ')) {
  test(`help of ads ${verb} says what it does, and how it is written`, async () => {
    const { status, out } = await run(`ads ${verb} --help`);
    assert.equal(status, 0);
    assert.match(out, new RegExp(`^Usage: backline ads ${verb}`));
    assert.match(out, /Examples:\n {2}\$ backline ads /);
  });
}

const WRONG: readonly [line: string, message: RegExp][] = [
  ['', /Usage: backline/],
  ['spin', /unknown command 'spin'/],
  ['plan', /required option '-f, --filename <paths\.\.\.>' not specified/],
  ['apply -f x --colour', /unknown option '--colour'/],
  ['up --port x', /It must be a whole number from 0 to 65535/],
  ['up --port 70000', /It must be a whole number from 0 to 65535/],
  ['serve', /needs a database, and DATABASE_URL names none/],
  ['serve --role decide ingest', /serve --role ingest needs a database/],
  ['serve --role boss', /Allowed choices are api, decide/],
  ['get', /missing required argument 'kinds'/],
  ['get plans -o html', /Allowed choices are table, wide, json, yaml, name/],
  ['check --plan free', /missing required argument 'feature'/],
  ['release', /Usage: backline release/],
  ['ads', /Usage: backline ads/],
  ['ads decide', /required option '--placement <name>' not specified/],
  ['ads tree --limit 0', /It must be a whole number from 1 to 200/],
  ['release approve', /missing required argument 'name'/],
  ['release stop-all', /required option '-m, --reason <text>' not specified/],
  ['release pin x --until tomorrow', /It must be a time like 2026-12-01T00:00:00Z/],
  ['apply -f x --wait --timeout soon', /It must be a duration like 90s/],
  ['prices de', /too many arguments for 'prices'/],
];

for (const [line, message] of WRONG) {
  test(`a wrong command line ends with 64 and says what is wrong: ${line}`, async () => {
    const { status, out, err } = await run(line);
    assert.equal(status, 64);
    assert.equal(out, '');
    assert.match(err, message);
  });
}

test('without a kubeconfig the message says how to get or name one', async () => {
  const { status, err } = await run('get plans');
  assert.equal(status, 1);
  assert.match(err, /^error: there is no kubeconfig here/);
  assert.match(err, /→ Start one with `backline up`/);
});

test('a server that is not there ends with 69 and says how to start one', async () => {
  // Nothing listens on the discard port.
  const { status, err } = await run('get plans --server http://127.0.0.1:9');
  assert.equal(status, 69);
  assert.match(err, /^error: cannot reach the server at http:\/\/127\.0\.0\.1:9: /);
  assert.match(err, /→ Is it running\? Start it with `backline up`/);
});

test('the version of the program needs no server', async () => {
  assert.match((await run('version --client')).out, /^client \d+\.\d+\.\d+\n$/);
  const { status, out } = await run('version --server http://127.0.0.1:9');
  assert.equal(status, 69);
  assert.match(out, /^client /);
});
