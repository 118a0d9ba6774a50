import ArgumentParser
import Control
import Glibc
import Settings

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of gateway.json.",
        discussion: """
            The schema is made from the same tables that read the configuration. Editors use it for completion and \
            checking when gateway.json begins with "$schema": "./gateway.schema.json".
            """)

    @Flag(help: "Print the reference of the configuration as Markdown instead.")
    var markdown = false

    func run() throws {
        let schema = Settings.schema()
        if markdown {
            Console.out(Array(try ConfigurationReference(schema: schema).render().utf8))
        } else {
            Console.out(schema)
        }
    }
}
