"""An answer of ScrapeCreators for each row of its outcome tables."""

from platforms.pages import Response
from tests.conformance.kit import answer, html

SEARCH_ANSWERS = {
    "not_json_with_2xx": html(200, "Just a moment"),
    "redirect": Response(302, {"location": "https://elsewhere.example/"}, b""),
    "bad_request": answer({"success": False, "error": "missing_parameter", "message": "provide a query"}, 400),
    "bad_key": answer({"success": False, "message": "Invalid key"}, 401),
    "out_of_credits": answer({"success": False, "message": "Looks like you're out of credits :( "}, 402),
    "gateway_refusal": html(403, "Access denied"),
    "search_refused": answer({"success": False, "error": "forbidden", "message": "not allowed"}, 403),
    "unknown_route": html(404),
    "not_found": answer({"success": True, "error": "not_found", "message": "Account doesn't exist"}, 404),
    "request_timeout": answer({"message": "took too long"}, 408),
    "daily_limit": answer({"message": "Daily limit reached"}, 429),
    "rate_limited": answer({"message": "Too many requests"}, 429),
    "no_key": answer({"success": False, "message": "apiKey is required"}, 500),
    "server_error": html(503, "Service unavailable"),
    "client_error": answer({"message": "teapot"}, 418),
}
TARGET_ANSWERS = {
    **{name: response for name, response in SEARCH_ANSWERS.items() if name != "search_refused"},
    "closed": answer({"success": False, "error": "forbidden", "message": "not available"}, 403),
}
