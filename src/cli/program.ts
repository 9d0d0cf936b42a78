import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { Refusal } from '#kernel/base/failures.ts';
import { version as programVersion } from '#kernel/base/version.ts';
import type { Shell } from './completion.ts';
import { CliFailure, EXIT, printFailure } from './terminal/failure.ts';
import { addApplyVerbs } from './apply/program.ts';
import { addAdVerbs } from './ads/program.ts';
import { addDeployVerbs } from './deploy/program.ts';
import { addDraftVerbs } from './drafts/program.ts';
import { addDecisionVerbs } from './decisions/program.ts';
import { addObjectVerbs } from './objects/program.ts';
import { addServerVerbs } from './server-verbs.ts';
import { connecting, examples, numberOf, type Verbs } from './terminal/verbs.ts';
import { ioOf, type Io, type Streams } from './terminal/io.ts';
import { addReleaseVerbs } from './release/program.ts';
import type { SimulateOptions } from './simulate.ts';
import type { SqlOptions } from './sql/sql.ts';
import type { ExportOptions } from './export.ts';
import type { VersionOptions } from './version.ts';

/** Those that are completed. */
const SHELLS = ['bash', 'zsh', 'fish'] as const satisfies readonly Shell[];

/** Runs one command line. Gives the exit status; everything that the user should read has been written to `streams`. */
export async function runCommandLine(args: readonly string[], streams: Streams): Promise<number> {
  const io = ioOf(streams);
  let status: number = EXIT.ok;
  const program = commandTree(io, (ended) => {
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

/** The tree of verbs. Each verb is loaded when it is used, so that `--help` and small verbs start fast. */
export function commandTree(io: Io, end: (status: number) => void): Command {
  const program = new Command('backline')
    .description('The backend behind a streaming service: what the business is made of, declared, released and served.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: (text) => void io.stderr.write(text) })
    .showHelpAfterError('(--help tells more)')
    .version(programVersion, '-V, --version', 'show the version of this program')
    .helpCommand('help [verb]', 'show the help of a verb')
    .addHelpText('after', OVERVIEW);

  const verbs = { program, io, end };
  addServerVerbs(verbs);
  addApplyVerbs(verbs);
  addDraftVerbs(verbs);
  addReleaseVerbs(verbs);
  addObjectVerbs(verbs);
  addDecisionVerbs(verbs);
  addAdVerbs(verbs);
  addDeployVerbs(verbs);
  addCompletion(verbs);
  addClientKey(verbs);
  addSimulate(verbs);
  addExports(verbs);
  addSql(verbs);
  addVersion(verbs);
  return program;
}

function addCompletion({ program, io, end }: Verbs): void {
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
}

function addClientKey({ program, io, end }: Verbs): void {
  program
    .command('client-key')
    .description('make a key for an application: the key for it, and the hash to declare in its Client')
    .addHelpText('after', examples('backline client-key'))
    .action(async () => end((await import('./api/client-key.ts')).clientKey(io)));
}

function addSimulate({ program, io, end }: Verbs): void {
  const simulating = program.command('simulate').description('play the app for made-up listeners');
  connecting(simulating.command('listeners'))
    .description('ask for flags and send events as listeners would, until it is stopped')
    .option('--count <number>', 'how many listeners there are', numberOf(1, SESSIONS_MAX), 10_000)
    .option('--seed <number>', 'the same seed makes the same listeners', numberOf(0, SEED_MAX), 1)
    .option('--rate <number>', 'sessions a second', parseRate, 5)
    .option('--sessions <number>', 'end after so many', numberOf(1, SESSIONS_MAX))
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
}

function addSql({ program, io, end }: Verbs): void {
  connecting(program.command('sql'))
    .description('ask about events in SQL: event types and datasets are its tables')
    .argument('[query]', 'one SELECT; hyphens of names become underscores')
    .option('-f, --filename <file>', 'the query is in this file, or - for standard input')
    .option('--limit <number>', 'rows at most', numberOf(1, ROWS_MAX))
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
      end(await (await import('./sql/sql.ts')).sql(query, options, io)),
    );
}

function addExports({ program, io, end }: Verbs): void {
  connecting(program.command('schemas'))
    .description('print the JSON Schema of all manifests, for editors that check YAML')
    .option('-o, --file <file>', 'write it to a file')
    .addHelpText('after', examples('backline schemas -o .backline/schemas.json'))
    .action(async (options: ExportOptions) => end(await (await import('./export.ts')).exportSchemas(options, io)));
  connecting(program.command('crds'))
    .description('print the kinds of this program as CustomResourceDefinitions, for a Kubernetes')
    .option('-o, --file <file>', 'write them to a file')
    .addHelpText('after', examples('backline crds | kubectl apply --server-side -f -'))
    .action(async (options: ExportOptions) => end(await (await import('./export.ts')).exportDefinitions(options, io)));
}

function addVersion({ program, io, end }: Verbs): void {
  connecting(program.command('version'))
    .description('show the version of this program and of the server')
    .option('--client', 'of this program alone')
    .action(async (options: VersionOptions) => end(await (await import('./version.ts')).version(options, io)));
}

const SEED_MAX = 2 ** 31 - 1;
const SESSIONS_MAX = 100_000_000;
const ROWS_MAX = 5_000_000;
const RATE_MAX = 10_000;

function parseRate(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate <= RATE_MAX)) throw new InvalidArgumentError(`It must be above 0 and at most ${RATE_MAX}.`);
  return rate;
}

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
