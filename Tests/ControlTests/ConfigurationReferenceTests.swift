import Control
import Testing

@Suite struct ConfigurationReferenceTests {
    @Test func aSchemaBecomesTables() throws {
        let schema = #"""
            {"description":"All.","required":["a"],"properties":{
              "a":{"description":"A | b.","type":"string"},
              "c":{"description":"C.","type":"array","items":{"$ref":"#/$defs/Thing"},"default":[]},
              "d":{"description":"D.","anyOf":[{"enum":["x","y"]},{"type":"null"}],"default":"x"},
              "e":{"description":"E.","type":"object","patternProperties":{"^":{"$ref":"#/$defs/Thing"}}}},
             "$defs":{"Thing":{"description":"A thing.","properties":{}}}}
            """#
        #expect(
            try ConfigurationReference(schema: Array(schema.utf8)).render() == #"""
                ### gateway.json

                All.

                | member | value | default | meaning |
                |---|---|---|---|
                | `a` | string | required | A \| b. |
                | `c` | list of [Thing](#thing) | `[]` | C. |
                | `d` | `"x"`, `"y"` or null | `"x"` | D. |
                | `e` | object: name → [Thing](#thing) |  | E. |

                ### Thing

                A thing.

                | member | value | default | meaning |
                |---|---|---|---|

                """#)
    }
}
