/// The credential fields of one request, as they stood on the wire.
package struct PresentedCredentials: Sendable {
    /// The value of `Authorization`, surrounding white space trimmed; nil when the field is absent.
    package var authorization: [UInt8]?
    /// The value of `x-cr-api-token`; nil when the field is absent.
    package var apiToken: [UInt8]?
    /// One of the two fields stood more than once.
    package var duplicated: Bool

    package init(authorization: [UInt8]? = nil, apiToken: [UInt8]? = nil, duplicated: Bool = false) {
        self.authorization = authorization
        self.apiToken = apiToken
        self.duplicated = duplicated
    }
}
