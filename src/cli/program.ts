import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { Refusal } from '#kernel/base/failures.ts';
import { version as programVersion } from '#kernel/base/version.ts';
import type { LogLevel } from '#kernel/base/log.ts';
import type { ApplyOptions, ChangeOptions } from './apply/apply.ts';
import type { DecideOptions } from './decisions/decide.ts';
import type { Shell } from './completion.ts';
import type { DeleteOptions } from './apply/delete.ts';
import { CliFailure, EXIT, printFailure } from './terminal/failure.ts';
import type { FlagOptions } from './decisions/flag.ts';
import type { ImportCliOptions, SOURCES } from './apply/import.ts';
import type { GetOptions } from './objects/get.ts';
import type { HistoryOptions } from './objects/history.ts';
import { ioOf, type Io, type Streams } from './terminal/io.ts';
import { parseDuration } from './release/duration-option.ts';
import { addReleaseVerbs } from './release/program.ts';
import type { ENDABLE, EndOptions, RecordOptions } from './decisions/record.ts';
import type { ServeOptions, UpOptions } from './serve.ts';
import type { SimulateOptions } from './simulate.ts';
import type { SqlOptions } from './sql.ts';
import type { VersionOptions } from './version.ts';

/** Those that are completed. */
const SHELLS = ['bash', 'zsh', 'fish'] as const satisfies readonly Shell[];

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const satisfies readonly LogLevel[];

/** Runs one command line. Gives the exit status; everything that the user should read has been written to `streams`. */
export async function runCommandLine(args: readonly string[], streams: Streams): Promise<number> {
  const io = ioOf(streams);
  let status: number = EXIT.ok;
  const program = commands(io, (ended) => {
    status = ended;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    printFailure(asFailure(error), io);
    return error instanceof CliFailure ? error.exitCode : EXIT.failed;
  }
}

function asFailure(error: unknown): CliFailure {
  if (error instanceof CliFailure) return error;
  if (error instanceof Refusal) return new CliFailure(error.message, { remedy: error.remedy });
  // A bug of ours: the trace is what helps.
  return new CliFailure(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/** The verbs. Each is loaded when it is used, so that `--help` and small verbs start fast. */
function commands(io: Io, end: (status: number) => void): Command {
  const program = new Command('backline')
    .description('The backend behind a streaming service: what the business is made of, declared, released and served.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: (text) => void io.stderr.write(text) })
    .showHelpAfterError('(--help tells more)')
    .version(programVersion, '-V, --version', 'show the version of this program')
    .helpCommand('help [verb]', 'show the help of a verb')
    .addHelpText('after', OVERVIEW);

  const listening = (command: Command, logLevel: LogLevel): Command =>
    command
      .option('--port <number>', 'port for everything, 0 for a free one', parsePort, 7700)
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option(
        '--tls-san, --public-name <names...>',
        'DNS names and addresses that clients and proxies use for it: they are in its certificate too',
      )
      .option('--trusted-proxy <address...>', 'addresses of proxies, which may open any number of connections')
      .option('--data <folder>', 'keys, tokens, the kubeconfig and the embedded PostgreSQL', '.backline')
      .option('--token-file <file>', 'users and their tokens: lines of TOKEN,USER,UID,"GROUP1,GROUP2"')
      .option('--oidc-issuer-url <url>', 'OpenID Connect issuer whose ID tokens are believed')
      .option('--oidc-client-id <id>', 'whom those tokens must be meant for')
      .option('--oidc-username-claim <claim>', 'which claim is the name of the user', 'sub')
      .option('--oidc-username-prefix <text>', 'in front of that name; - for none (else the issuer and #)')
      .option('--oidc-groups-claim <claim>', 'which claim holds the groups')
      .option('--oidc-groups-prefix <text>', 'in front of their names')
      .option('--oidc-ca-file <file>', 'certificate of the authority behind the issuer')
      .option('--history-days <number>', 'how long past versions and the audit record are kept', parseCount, 30)
      .option('--datasets <folder>', 'where the files of datasets lie (else in the data folder)')
      .option('--roll-up-seconds <number>', 'how often events become files', parseCount, 15)
      .option('--encryption-key-file <file>', 'keys that secrets are sealed with (else in the data folder)')
      .option('--quiet', 'print only the line that says that it is ready')
      .addOption(
        new Option('--log-level <level>', 'of the log on standard error').choices(LOG_LEVELS).default(logLevel),
      )
      .addHelpText('after', ENVIRONMENT);

  // On a terminal people read what `up` prints; what a service logs is read by programs.
  listening(program.command('up'), 'warn')
    .description('run everything on this machine: API, decisions, PostgreSQL, a sample business')
    .option('--no-sample', 'do not declare the sample business on the first start')
    .option('--no-simulation', 'do not play the app for made-up listeners of the sample business')
    .addHelpText(
      'after',
      examples('backline up', 'backline up --port 8080 --no-sample', 'DATABASE_URL=postgres://… backline up'),
    )
    .action(async (options: UpOptions) => end(await (await import('./serve.ts')).up(options, io)));

  listening(program.command('serve'), 'info')
    .description('run one role, any number of times, against the PostgreSQL that DATABASE_URL names')
    .addOption(
      new Option('--role <roles...>', 'what to run')
        .choices(['api', 'decide', 'controllers', 'ingest'])
        .default(['api', 'decide', 'controllers', 'ingest']),
    )
    .option('--api <url>', 'the API server, for the roles decide and controllers without one in the process')
    .option('--kubeconfig <file>', 'how to reach that API server')
    .option('--embedded', 'run a PostgreSQL in the data folder when DATABASE_URL names none')
    .addHelpText(
      'after',
      examples('backline serve --role api --host 0.0.0.0', 'backline serve --role decide --kubeconfig api.kubeconfig'),
    )
    .action(async (options: ServeOptions) => end(await (await import('./serve.ts')).serve(options, io)));

  const changing = (command: Command): Command =>
    connecting(command)
      .requiredOption('-f, --filename <paths...>', 'files, folders (with what is below them), or - for standard input')
      .option('-n, --namespace <name>', 'for objects that name none')
      .option('--prune', 'delete what has the labels of -l and is not in the files, after everything else')
      .option('-l, --selector <labels>', 'with --prune: what may go, like team=growth')
      .addOption(new Option('-o, --output <form>', 'for programs').choices(['json', 'yaml']));

  changing(program.command('apply'))
    .description('declare everything in some files as one atomic change: all or nothing')
    .option('--dry-run', 'check everything, change nothing')
    .option('--wait', 'follow its release until everybody gets it; ends with 1 and the reason when they do not')
    .option('--timeout <time>', 'how long to wait, like 10m; else for as long as it takes', parseDuration)
    .option('--allow-not-live', 'end with 0 although something that is declared is not live and no release carries it')
    .addHelpText(
      'after',
      examples(
        'backline apply -f business/',
        'backline apply -f plans.yaml -f prices.yaml --dry-run',
        'backline apply -f business/ --wait --timeout 10m',
        'backline apply -f business/ --prune -l team=growth',
      ),
    )
    .action(async (options: ApplyOptions) => end(await (await import('./apply/apply.ts')).apply(options, io)));

  changing(program.command('plan'))
    .description(
      'show what apply would change, field by field, against what is live (ends with 2 when there are changes)',
    )
    .addHelpText(
      'after',
      examples('backline plan -f business/', 'backline plan -f - < plans.yaml', 'backline plan -f business/ -o json'),
    )
    .action(async (options: ChangeOptions) => end(await (await import('./apply/apply.ts')).plan(options, io)));

  addReleaseVerbs(program, { io, end, connecting, examples });

  connecting(program.command('get'))
    .description('show objects')
    .argument('<kinds>', 'KIND, KIND,KIND or KIND/NAME; plural, singular, short name, or with the group')
    .argument('[name]', 'of one object')
    .option('-n, --namespace <name>', 'where to look')
    .option('-A, --all-namespaces', 'look everywhere')
    .option('-l, --selector <labels>', 'only objects with such labels, like tier=paid')
    .option('-w, --watch', 'go on, and show each change until Ctrl-C')
    .option('--as-of <moment>', 'as they were declared at a version, or at a time like 2026-11-22T10:00:00Z')
    .addOption(
      new Option('-o, --output <form>', 'how').choices(['table', 'wide', 'json', 'yaml', 'name']).default('table'),
    )
    .addHelpText(
      'after',
      examples(
        'backline get plans -A',
        'backline get plan premium -o yaml',
        'backline get prices -l market=de',
        'backline get releases --watch',
      ),
    )
    .action(async (kinds: string, name: string | undefined, options: GetOptions) =>
      end(await (await import('./objects/get.ts')).get(kinds, name, options, io)),
    );

  connecting(program.command('delete'))
    .description('delete objects, one after the other')
    .argument('[objects...]', 'KIND NAME…, KIND/NAME…, or KIND with -l')
    .option('-f, --filename <paths...>', 'the objects in files or folders, the last first; - for standard input')
    .option('-n, --namespace <name>', 'where they are')
    .option('-l, --selector <labels>', 'all of the kind with such labels, like tier=paid')
    .option('--dry-run', 'check everything, delete nothing')
    .option('--ignore-not-found', 'end with 0 although some were not there')
    .addHelpText(
      'after',
      examples(
        'backline delete flag gapless -n aria',
        'backline delete plan/lite price/lite-de -n aria',
        'backline delete -f old/ --dry-run',
        'backline delete flags -l team=growth -n aria',
      ),
    )
    .action(async (words: readonly string[], options: DeleteOptions) =>
      end(await (await import('./apply/delete.ts')).deleteObjects(words, options, io)),
    );

  program
    .command('completion')
    .description('print what a shell needs to complete verbs and options')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText(
      'after',
      examples(
        'source <(backline completion bash)',
        'backline completion zsh > ~/.zsh/completions/_backline',
        'backline completion fish > ~/.config/fish/completions/backline.fish',
      ),
    )
    .action(async (shell: Shell) => {
      io.exact.write((await import('./completion.ts')).completionOf(program, shell));
      end(EXIT.ok);
    });

  program
    .command('client-key')
    .description('make a key for an application: the key for it, and the hash to declare in its Client')
    .addHelpText('after', examples('backline client-key'))
    .action(async () => end((await import('./api/client-key.ts')).clientKey(io)));

  connecting(program.command('history'))
    .description('show who changed an object when, and what, newest first')
    .argument('<kind>', 'plural, singular, short name, or with the group')
    .argument('<name>', 'of the object')
    .option('-n, --namespace <name>', 'where it is')
    .option('--limit <number>', 'how many changes at most', parseCount, 20)
    .option('--all', 'also changes of nothing but the status')
    .addOption(new Option('-o, --output <form>', 'for programs').choices(['json', 'yaml']))
    .addHelpText(
      'after',
      examples('backline history plan premium -n aria', 'backline history price premium-de --limit 3'),
    )
    .action(async (kind: string, name: string, options: HistoryOptions) =>
      end(await (await import('./objects/history.ts')).history(kind, name, options, io)),
    );

  asking(program.command('check'))
    .description('ask whether a listener gets a feature: allow, degrade, upsell or deny')
    .argument('<feature>', 'the feature')
    .option('--plan <name>', 'the plan; else that of the listener')
    .option('--role <name>', 'the role of the listener on the plan')
    .addHelpText(
      'after',
      examples(
        'backline check offline --plan free --market de',
        'backline check audiobooks --listener u1',
        'backline check audio --plan premium --territory SE -o json',
      ),
    )
    .action(async (feature: string, options: DecideOptions) =>
      end(await (await import('./decisions/decide.ts')).check({ ...options, feature }, io)),
    );

  asking(program.command('prices'))
    .description('ask what plans cost in a market, now or at any moment')
    .option('--plan <name>', 'one plan; else all')
    .option('--interval <duration>', 'what one payment covers, like P1M')
    .addHelpText(
      'after',
      examples('backline prices --market de', 'backline prices --territory SE --plan premium --at 2027-01-01'),
    )
    .action(async (options: DecideOptions) => end(await (await import('./decisions/decide.ts')).prices(options, io)));

  asking(program.command('explain'))
    .description('ask why: the objects that led to an answer, as sentences')
    .argument('[feature]', 'the feature; without one, prices are explained')
    .option('--plan <name>', 'the plan; else that of the listener')
    .option('--role <name>', 'the role of the listener on the plan')
    .option('--interval <duration>', 'what one payment covers, like P1M')
    .addHelpText(
      'after',
      examples(
        'backline explain offline --plan free --market de',
        'backline explain --plan premium --market se --at 2027-01-01',
      ),
    )
    .action(async (feature: string | undefined, options: DecideOptions) =>
      end(
        await (
          await import('./decisions/decide.ts')
        ).explain({ ...options, ...(feature !== undefined && { feature }) }, io),
      ),
    );

  connecting(program.command('record'))
    .description('show all that is on record of a listener: subscription, grants, overrides, who changed what')
    .argument('<listener>', 'id of the listener')
    .addOption(new Option('-o, --output <form>', 'how').choices(['json', 'yaml']).default('yaml'))
    .addHelpText('after', examples('backline record u1'))
    .action(async (listener: string, options: RecordOptions) =>
      end(await (await import('./decisions/record.ts')).record(listener, options, io)),
    );

  connecting(program.command('end'))
    .description('take back what was bought or given by hand; what was used of it stays used')
    .addArgument(new Argument('<what>', 'what it is').choices(['grant', 'override', 'subscription']))
    .argument('<id>', 'its id, see backline record')
    .option('--until <instant>', 'of a grant: when it ends; else now')
    .option('--key <name>', 'repeats an earlier request; else it is a new one')
    .addOption(new Option('-o, --output <form>', 'how').choices(['json', 'yaml']).default('yaml'))
    .addHelpText(
      'after',
      examples('backline end override 5f0c…', 'backline end grant 9a1b… --until 2027-01-31T00:00:00Z'),
    )
    .action(async (what: keyof typeof ENDABLE, id: string, options: EndOptions) =>
      end(await (await import('./decisions/record.ts')).end(what, id, options, io)),
    );

  connecting(program.command('flag'))
    .description('ask what a flag is for one context, and why')
    .argument('<key>', 'the key of the flag')
    .option('--listener <id>', 'the targetingKey of the context')
    .option('--context <attributes...>', 'what is known of the listener, like plan=free')
    .addOption(new Option('-o, --output <form>', 'the answer as it came').choices(['json']))
    .addHelpText(
      'after',
      examples(
        'backline flag home-layout --listener u1 --context platform=ios appVersion=8.9.0',
        'backline flag gapless --listener u1 -o json',
      ),
    )
    .action(async (key: string, options: FlagOptions) =>
      end(await (await import('./decisions/flag.ts')).flag(key, options, io)),
    );

  connecting(program.command('import'))
    .description('turn the state of another flag tool into flags in which everybody keeps their variant')
    .addArgument(new Argument('<tool>', 'what the state is of').choices(['unleash', 'growthbook', 'flagd']))
    .argument('<file>', 'its state as JSON; - for standard input')
    .option('-n, --namespace <name>', 'where the objects go')
    .addOption(new Option('-o, --output <form>', 'how they are printed').choices(['yaml', 'json']).default('yaml'))
    .option('--apply', 'declare them as one atomic change instead of printing them')
    .option('--allow-not-live', 'with --apply: go on although something would not go live')
    .option('--skip-unsupported', 'go on without what cannot be carried over exactly')
    .option('--targeting-key <attribute>', 'the attribute there that contexts here say as targetingKey, like userId')
    .option(
      '--attribute <types...>',
      'types where the state does not tell them, like age=number or genres=string,multi',
    )
    .addOption(new Option('--bucketing <generation>', 'of flagd').choices(['flagd-v1', 'flagd-v2']))
    .option('--sticky-bucketing', 'GrowthBook: its SDKs have a sticky bucket service')
    .addHelpText(
      'after',
      examples(
        'backline import unleash export.json > flags.yaml',
        'backline import growthbook payload.json -n app --targeting-key id --apply',
      ),
    )
    .action(async (tool: (typeof SOURCES)[number], file: string, options: ImportCliOptions) =>
      end(await (await import('./apply/import.ts')).importFlags(tool, file, options, io)),
    );

  const simulating = program.command('simulate').description('play the app for made-up listeners');
  connecting(simulating.command('listeners'))
    .description('ask for flags and send events as listeners would, until it is stopped')
    .option('--count <number>', 'how many listeners there are', parseSessions, 10_000)
    .option('--seed <number>', 'the same seed makes the same listeners', parseSeed, 1)
    .option('--rate <number>', 'sessions a second', parseRate, 5)
    .option('--sessions <number>', 'end after so many', parseSessions)
    .option(
      '--effect <effects...>',
      'what a variant or a release does, like home-layout=shelves:plays:1.05 or release:NAME:conversions:0.5',
    )
    .addHelpText(
      'after',
      examples(
        'backline simulate listeners',
        'backline simulate listeners --sessions 1000 --rate 50 --effect upgrade-banner=trial:subscriptions:1.3',
      ),
    )
    .action(async (options: SimulateOptions) => end(await (await import('./simulate.ts')).simulate(options, io)));

  connecting(program.command('sql'))
    .description('ask about events in SQL: event types and datasets are its tables')
    .argument('[query]', 'one SELECT; hyphens of names become underscores')
    .option('-f, --filename <file>', 'the query is in this file, or - for standard input')
    .option('--limit <number>', 'rows at most', parseRows)
    .option('--file <file>', 'where the result goes; else standard output')
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'csv', 'json', 'parquet']).default('table'))
    .addHelpText(
      'after',
      examples(
        'backline sql "show tables"',
        'backline sql "select name, complete_until from watermarks"',
        'backline sql -f query.sql -o parquet --file plays.parquet',
      ),
    )
    .action(async (query: string | undefined, options: SqlOptions) =>
      end(await (await import('./sql.ts')).sql(query, options, io)),
    );

  connecting(program.command('version'))
    .description('show the version of this program and of the server')
    .option('--client', 'of this program alone')
    .action(async (options: VersionOptions) => end(await (await import('./version.ts')).version(options, io)));

  return program;
}

function connecting(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'how to reach the server (BACKLINE_KUBECONFIG; else .backline/kubeconfig here or above; else KUBECONFIG)',
    )
    .option('--server <url>', 'the server, instead of the one that the kubeconfig names')
    .option('--token <token>', 'the token, instead of the one in the kubeconfig');
}

function asking(command: Command): Command {
  return connecting(command)
    .option('--market <name>', 'where the listener is: a market')
    .option('--territory <code>', 'where the listener is: a territory, like DE')
    .option('--channel <name>', 'a way to buy, like web')
    .option('--at <moment>', 'a date or an instant; else now')
    .option('--listener <id>', 'who asks: what is on record of them, and what a release under way shows them, counts')
    .addOption(new Option('-o, --output <form>', 'the answer as it came').choices(['json', 'yaml']));
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('It must be a number from 0 to 65535.');
  return port;
}

const COUNT_MAX = 10_000;

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > COUNT_MAX)
    throw new InvalidArgumentError(`It must be from 1 to ${COUNT_MAX}.`);
  return count;
}

const SEED_MAX = 2 ** 31 - 1;

function parseSeed(text: string): number {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed > SEED_MAX) throw new InvalidArgumentError(`It must be from 0 to ${SEED_MAX}.`);
  return seed;
}

const RATE_MAX = 10_000;

function parseRate(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate <= RATE_MAX)) throw new InvalidArgumentError(`It must be above 0 and at most ${RATE_MAX}.`);
  return rate;
}

const SESSIONS_MAX = 100_000_000;

function parseSessions(text: string): number {
  const sessions = Number(text);
  if (!/^\d+$/.test(text) || sessions < 1 || sessions > SESSIONS_MAX)
    throw new InvalidArgumentError(`It must be from 1 to ${SESSIONS_MAX}.`);
  return sessions;
}

const ROWS_MAX = 5_000_000;

function parseRows(text: string): number {
  const rows = Number(text);
  if (!/^\d+$/.test(text) || rows < 1 || rows > ROWS_MAX)
    throw new InvalidArgumentError(`It must be from 1 to ${ROWS_MAX}.`);
  return rows;
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}\n`).join('')}`;
}

const ENVIRONMENT = `
Environment:
  DATABASE_URL          a PostgreSQL to use instead of the embedded one
  QUOTA_DATABASE_URLS   others that use is spread over, with commas between them
`;

const OVERVIEW = `
Examples:
  $ backline up                                     everything on this machine
  $ backline plan -f business/                      what would change
  $ backline apply -f business/                     change it
  $ backline apply -f business/ --wait              and follow it until everybody gets it
  $ backline release list --open                    what is on its way
  $ backline get plans,prices -A
  $ backline explain offline --plan free --market de

Exit status:
  0   done (plan: no changes)
  1   refused by the server, or failed; apply: something is declared and not live
  2   plan: there are changes
  64  the command line is wrong
  69  the server cannot be reached
  130 stopped with Ctrl-C

kubectl works as well: kubectl --kubeconfig .backline/kubeconfig get plans -A
`;
