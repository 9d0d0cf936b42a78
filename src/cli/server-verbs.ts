import { Option, type Command } from 'commander';
import type { LogLevel } from '#kernel/base/log.ts';
import { environmentHelp, SERVER_ENVIRONMENT } from './environment.ts';
import type { BackupOptions, RestoreOptions } from './backup.ts';
import type { ServeOptions, UpOptions } from './serve.ts';
import { examples, numberOf, type Verbs } from './terminal/verbs.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const satisfies readonly LogLevel[];

/** Verbs that run a server. */
export function addServerVerbs(verbs: Verbs): void {
  addUp(verbs);
  addServe(verbs);
  addBackup(verbs);
}

function addUp({ program, io, end }: Verbs): void {
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
}

function addServe({ program, io, end }: Verbs): void {
  listening(program.command('serve'), 'info')
    .description('run one role, any number of times, against the PostgreSQL that DATABASE_URL names')
    .addOption(
      new Option('--role <roles...>', 'roles to run')
        .choices(['api', 'decide', 'controllers', 'ingest'])
        .default(['api', 'decide', 'controllers', 'ingest']),
    )
    .option('--api <url>', 'the API server, for the roles decide and controllers without one in the process')
    .option('--kubeconfig <file>', 'kubeconfig of that API server')
    .option('--embedded', 'run a PostgreSQL in the data folder when DATABASE_URL names none')
    .addHelpText(
      'after',
      examples('backline serve --role api --host 0.0.0.0', 'backline serve --role decide --kubeconfig api.kubeconfig'),
    )
    .action(async (options: ServeOptions) => end(await (await import('./serve.ts')).serve(options, io)));
}

function addBackup({ program, io, end }: Verbs): void {
  keeping(program.command('backup <folder>'))
    .description('write everything into a new folder while the server runs: databases, datasets, keys')
    .option('--no-keys', 'leave out the keys, which open every Secret; restore then needs --keys')
    .addHelpText(
      'after',
      examples('backline backup /backups/2026-12-01', 'DATABASE_URL=postgres://… backline backup DIR'),
    )
    .action(async (folder: string, options: BackupOptions) =>
      end(await (await import('./backup.ts')).backup(folder, options, io)),
    );
  keeping(program.command('restore <folder>'))
    .description('restore a backup into an empty database and an empty data folder, before the first start')
    .option('--keys <folder>', 'keys that were kept elsewhere (default: in the backup)')
    .addHelpText('after', examples('backline restore /backups/2026-12-01 --data .backline'))
    .action(async (folder: string, options: RestoreOptions) =>
      end(await (await import('./backup.ts')).restoreBackup(folder, options, io)),
    );
}

function keeping(command: Command): Command {
  return command
    .option('--data <folder>', 'keys, tokens, the kubeconfig and the embedded PostgreSQL', '.backline')
    .option('--datasets <folder>', 'folder of dataset files (default: in the data folder)')
    .option('--quiet', 'print no progress')
    .addHelpText('after', environmentHelp(SERVER_ENVIRONMENT));
}

function listening(command: Command, logLevel: LogLevel): Command {
  return command
    .option('--port <number>', 'port for everything, 0 for a free one', numberOf(0, 65_535), 7700)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option(
      '--tls-san, --public-name <names...>',
      'DNS names and addresses of this server; its certificate is valid for them',
    )
    .option('--trusted-proxy <address...>', 'addresses of proxies; they may open any number of connections')
    .option('--data <folder>', 'keys, tokens, the kubeconfig and the embedded PostgreSQL', '.backline')
    .option('--token-file <file>', 'users and their tokens: lines of TOKEN,USER,UID,"GROUP1,GROUP2"')
    .option('--oidc-issuer-url <url>', 'trusted OpenID Connect issuer')
    .option('--oidc-client-id <id>', 'expected audience (aud) of its tokens')
    .option('--oidc-username-claim <claim>', 'claim that holds the user name', 'sub')
    .option(
      '--oidc-username-prefix <text>',
      'prefix of user names; - for none (default: the issuer and #; none with the claim email)',
    )
    .option('--oidc-groups-claim <claim>', 'claim that holds the groups')
    .option('--oidc-groups-prefix <text>', 'prefix of group names')
    .option('--oidc-ca-file <file>', 'CA certificate of the issuer')
    .option(
      '--service-account-issuer <url>',
      'https address of this server for others who verify tokens of service accounts',
    )
    .option('--history-days <number>', 'days that past versions and the audit log are kept', numberOf(1, 10_000), 30)
    .option(
      '--event-ttl-minutes <number>',
      'minutes that Events are kept after their last write',
      numberOf(1, 525_600),
      60,
    )
    .option('--datasets <folder>', 'folder of dataset files (default: in the data folder)')
    .option('--roll-up-seconds <number>', 'seconds between roll-ups of events into files', numberOf(1, 10_000), 15)
    .option('--encryption-key-file <file>', 'keys that encrypt secrets (default: in the data folder)')
    .option(
      '--allow-outbound <hosts...>',
      'private hosts that declared objects may reach: names, addresses, ranges like 10.0.0.0/8',
    )
    .option('--quiet', 'print only the line that says that it is ready')
    .addOption(
      new Option('--log-level <level>', 'level of the log on standard error').choices(LOG_LEVELS).default(logLevel),
    )
    .addHelpText('after', environmentHelp(SERVER_ENVIRONMENT));
}
