import Foundation
import Gate
import Testing

@Suite("Places of an address") struct AddressPlacesTests {
    private func address(_ text: String) -> PeerAddress { PeerAddress(text: Array(text.utf8)) ?? .unknown }

    @Test("an address gets as many as the bound says, and one back for each that ends") func bound() {
        let places = AddressPlaces()
        var held = (0..<3).map { _ in places.take(for: address("192.0.2.1"), of: 3) }
        #expect(held.allSatisfy { $0 != nil })
        #expect(places.take(for: address("192.0.2.1"), of: 3) == nil)
        let other = places.take(for: address("192.0.2.2"), of: 3)
        #expect(other != nil && places.count == 2)
        held.removeLast()?.release()
        #expect(places.take(for: address("192.0.2.1"), of: 3) != nil, "and gives it back at once")
        held.removeAll()
        #expect(places.count == 1)
    }

    @Test("IPv4 is one address in either spelling, IPv6 one network of 64 bits") func sites() {
        let places = AddressPlaces()
        let held = [
            places.take(for: address("192.0.2.1"), of: 1), places.take(for: address("2001:db8::1"), of: 1),
            places.take(for: address("2001:db8:0:1::1"), of: 1),
        ]
        #expect(held.allSatisfy { $0 != nil })
        for text in ["::ffff:192.0.2.1", "2001:db8::2:3:4:5", "2001:db8:0:1:ffff::"] {
            #expect(places.take(for: address(text), of: 1) == nil)
        }
        #expect(places.take(for: address("192.0.2.3"), of: 1) != nil)
    }

    @Test("eight threads never hold more than the bound, and leave nothing behind") func threads() {
        let places = AddressPlaces()
        let client = address("192.0.2.1")
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<2000 {
                let held = [places.take(for: client, of: 5), places.take(for: client, of: 5)]
                withExtendedLifetime(held) {}
            }
        }
        #expect(places.count == 0)
        let held = (0..<6).map { _ in places.take(for: client, of: 5) }
        #expect(held.count { $0 != nil } == 5)
    }
}
