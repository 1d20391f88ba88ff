import { Argument, Command } from 'commander'
import type { CheckOptions } from './check.js'

export function command(): Command {
  return new Command('rules')
    .description('check a file of rules; print the form of such a file as JSON Schema')
    .addCommand(checkCommand())
    .addCommand(schemaCommand())
    .addHelpText('after', HELP)
}

function checkCommand(): Command {
  return new Command('check')
    .description(
      'check a configuration file: its faults with line and column, or its rules in normal form and what they match now',
    )
    .addArgument(new Argument('<file>', 'the YAML file'))
    .option('--static', 'look at the file alone, not at the processes that its rules match now')
    .option('--json', 'JSON Lines on stdout, one record per rule')
    .addHelpText('after', CHECK_HELP)
    .action(async (file: string, options: CheckOptions) => (await import('./check.js')).check(file, options))
}

function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema of a configuration file, for editors')
    .action(async () => (await import('./schema.js')).printSchema())
}

const CHECK_HELP = `
Nothing is acted on. The language of rules: \`muster watch --help\`, and docs/rules.md.

Exit codes: 0 all is right; 2 no file given; 8 a fault in the file, or it cannot be read. \`muster --help\` lists all.`

const HELP = `
Examples:
  muster rules check /etc/muster.yaml
  muster rules check muster.yaml --json | jq -r '.name + ": " + .when'
  muster rules schema > muster.schema.json     then, on top of muster.yaml:
                              # yaml-language-server: $schema=muster.schema.json`
